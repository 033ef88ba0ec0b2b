"""Profiles in, entries into segments and leaves out."""
