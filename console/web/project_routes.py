"""The pages of a project, one module each."""

from __future__ import annotations

from console.web import audit, customers, distribution, distributions, message, messages, suppressions
from console.web.projects import ProjectRoute

PROJECT_ROUTES: tuple[ProjectRoute, ...] = (
    *distributions.ROUTES, *distribution.ROUTES, *messages.ROUTES, *message.ROUTES, *customers.ROUTES,
    *suppressions.ROUTES, *audit.ROUTES,
)  # fmt: skip
