"""The kinds of worker process: one module or folder a role, under the role's name."""
