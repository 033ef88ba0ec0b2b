"""The pure core: what an event means for the distributions. No clock, no randomness, no input or output."""
