"""The part that all channels over HTTP share: replies and what they mean, and which addresses may be reached."""
