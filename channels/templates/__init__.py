"""E-mail templates: the engine, its filters, MJML, and what a stored template is completed with."""
