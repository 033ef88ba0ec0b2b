"""The command line: one module a noun, each a few lines over `console/control`."""
