"""The pages of a project, one module each."""

from __future__ import annotations

from console.web import (
    audit,
    campaigns,
    customers,
    distribution,
    distributions,
    imports,
    message,
    messages,
    operations,
    segments,
    suppressions,
)
from console.web.projects import ProjectRoute

PROJECT_ROUTES: tuple[ProjectRoute, ...] = (
    *distributions.ROUTES, *distribution.ROUTES, *messages.ROUTES, *message.ROUTES, *customers.ROUTES,
    *segments.ROUTES, *campaigns.ROUTES, *imports.ROUTES, *suppressions.ROUTES, *operations.ROUTES, *audit.ROUTES,
)  # fmt: skip
