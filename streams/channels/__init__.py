"""Everything pure about each channel, one file a channel: what its author writes, whom it reaches, its deliveries."""
