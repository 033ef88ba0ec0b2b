"""The HTTP API, for whoever has a key: one table of routes, from which it is decoded, checked, described and served."""
