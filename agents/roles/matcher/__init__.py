"""Business events in, deliveries and decisions out."""
