"""All settings of a process: a file of TOML, the environment over it, each key checked."""
