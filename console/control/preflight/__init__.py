"""A distribution looked over before it is set live: all that would stop it from sending well, and nothing is sent."""
