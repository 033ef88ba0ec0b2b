"""Deliveries in, attempts at their providers out."""
