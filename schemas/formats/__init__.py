"""Formats of single values that every layer agrees on: addresses, hosts, languages, days, paths."""
