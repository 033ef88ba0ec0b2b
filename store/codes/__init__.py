"""Code pools: what is in them, how codes come in, who has which."""
