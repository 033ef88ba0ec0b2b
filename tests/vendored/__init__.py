"""Files of others in this repository, as they came: made again by `make vendor`, and held against their hashes."""
