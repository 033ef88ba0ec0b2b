"""Every route of the API. A noun is a module with its own; here they are one table."""

from __future__ import annotations

from console.api import (
    accounts,
    audit,
    campaign_codes,
    campaigns,
    customers,
    dead_letters,
    decisions,
    deliveries,
    destinations,
    distributions,
    events,
    holds,
    keys,
    notices,
    project,
    segments,
    sends,
    statistics,
    suppressions,
    templates,
    trials,
    users,
)
from console.api.route import Route

ROUTES: tuple[Route, ...] = (
    *accounts.ROUTES,
    *audit.ROUTES,
    *campaign_codes.ROUTES,
    *campaigns.ROUTES,
    *customers.ROUTES,
    *dead_letters.ROUTES,
    *decisions.ROUTES,
    *deliveries.ROUTES,
    *destinations.ROUTES,
    *distributions.ROUTES,
    *events.ROUTES,
    *holds.ROUTES,
    *keys.ROUTES,
    *notices.ROUTES,
    *project.ROUTES,
    *segments.ROUTES,
    *sends.ROUTES,
    *statistics.ROUTES,
    *suppressions.ROUTES,
    *templates.ROUTES,
    *trials.ROUTES,
    *users.ROUTES,
)
