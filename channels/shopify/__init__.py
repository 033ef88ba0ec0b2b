"""Published codes as discount codes of a shop."""
