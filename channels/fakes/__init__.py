"""Receivers that behave like the real ones, and misbehave on request: for the demo, for tests and for first steps."""
