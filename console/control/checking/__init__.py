"""Documents held against what is recorded and described, for continuous integration: no server is asked."""
