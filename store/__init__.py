"""Postgres: the ledger of deliveries, the control plane of distributions, and the templates."""
