"""Passkeys: what a device signs and what that proves, one's own, and signing in by them."""
