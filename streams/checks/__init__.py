"""Audience checks: one a file, in the order of `order.py`."""
