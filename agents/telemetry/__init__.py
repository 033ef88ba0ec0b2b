"""Metrics, health and logs of a process, and the server that shows them."""
