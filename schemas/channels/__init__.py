"""All that crosses a boundary of each channel, one file a channel: its plan, its address and its deliveries."""
