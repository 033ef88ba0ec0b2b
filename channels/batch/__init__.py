"""The Batch channel: profiles' updates, and their answers."""
