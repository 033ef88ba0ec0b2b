"""Signing in by an OpenID provider: the provider itself, what its tokens prove, and who somebody is here by them."""
