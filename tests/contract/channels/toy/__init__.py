"""A channel from outside: the five files of one that the product does not know, in short."""
