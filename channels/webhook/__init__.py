"""Signed POSTs to the user's own address."""
