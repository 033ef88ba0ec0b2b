"""The command line: writing distributions, looking into what happens, and running it."""
