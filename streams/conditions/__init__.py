"""The condition language: parse, check, compile, explain."""
