"""The pages of a project, one module each."""

from __future__ import annotations

from console.web import (
    account_form,
    accounts,
    audit,
    brand,
    campaigns,
    customers,
    dead_letter_mend,
    dead_letters,
    distribution,
    distribution_steps,
    distributions,
    first_steps,
    import_new,
    imports,
    keys,
    message,
    messages,
    operations,
    previews,
    replay,
    resend,
    search,
    sections,
    segment_edit,
    segments,
    send,
    sends,
    settings,
    suppressions,
    template_edit,
    template_new,
    templates,
    topics,
    users,
)
from console.web.builder import routes as builder
from console.web.projects import ProjectRoute

PROJECT_ROUTES: tuple[ProjectRoute, ...] = (
    *builder.ROUTES, *distributions.ROUTES, *distribution.ROUTES, *distribution_steps.ROUTES,
    *messages.ROUTES, *message.ROUTES, *resend.ROUTES,
    *sends.ROUTES, *send.ROUTES, *customers.ROUTES, *first_steps.ROUTES,
    *segment_edit.ROUTES, *segments.ROUTES, *campaigns.ROUTES, *import_new.ROUTES, *imports.ROUTES,
    *templates.ROUTES,
    *template_edit.ROUTES, *template_new.ROUTES, *sections.ROUTES, *previews.ROUTES, *suppressions.ROUTES,
    *operations.ROUTES,
    *dead_letters.ROUTES, *dead_letter_mend.ROUTES, *replay.ROUTES, *topics.ROUTES, *account_form.ROUTES,
    *accounts.ROUTES, *users.ROUTES, *keys.ROUTES, *settings.ROUTES, *audit.ROUTES, *brand.ROUTES, *search.ROUTES,
)  # fmt: skip
