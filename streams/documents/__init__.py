"""The documents that people write: distributions, campaigns, segments, and what is said of them."""
