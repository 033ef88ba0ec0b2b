"""Which rules an event may fit, found without trying them all."""
