"""The console over HTTP: one module for each group of routes, joined in `app.py`."""
