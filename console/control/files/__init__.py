"""Documents, templates, campaigns and codes in files, as people keep them."""
