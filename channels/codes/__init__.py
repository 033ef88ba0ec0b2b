"""Codes of campaigns as pictures: drawn, linked to, and referred to from an e-mail."""
