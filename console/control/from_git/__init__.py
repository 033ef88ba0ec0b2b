"""A project in files: what is live written down as documents, and a folder held against it and applied."""
