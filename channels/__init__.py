"""The ways out: one file a channel, each with a pure `render` and a `send` that does the IO and never retries."""
