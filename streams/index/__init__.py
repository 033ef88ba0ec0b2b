"""The rules that an event may fit, found without trying them all."""
