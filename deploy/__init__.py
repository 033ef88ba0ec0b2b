"""Running it: the settings, the embedded servers, dashboards and runbooks."""
