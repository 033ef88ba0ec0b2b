"""What customers reach without signing in: signed links."""
