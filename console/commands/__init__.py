"""The commands of `tidings`, by what one is doing."""
