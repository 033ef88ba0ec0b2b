"""Routes that customers reach without signing in: signed links."""
