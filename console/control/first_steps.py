"""The way to a project's first message: what is there already, and what is next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import asyncpg

from console.control import accounts, distributions
from console.control.context import stored_project
from deploy.settings.settings import Settings
from schemas.distribution import Distribution
from schemas.events.triggers import TRIGGERS
from store.accounts import Accounts
from store.first_steps import first_things

StepName = Literal["account", "brand", "template", "customer", "distribution", "test", "event"]


@dataclass(frozen=True, slots=True)
class FirstStep:
    """A step, and whether it is done."""

    name: StepName
    is_done: bool


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """All steps in their order, and the distribution that they are about; None before there is one.

    `is_by_hand`: no event of others starts it, somebody sends it.
    """

    steps: tuple[FirstStep, ...]
    distribution: str | None
    is_by_hand: bool = False

    @property
    def next(self) -> StepName | None:
        """The first that is not done; None where all are."""
        return next((one.name for one in self.steps if not one.is_done), None)


async def first_steps(pool: asyncpg.Pool, settings: Settings, project_id: str) -> FirstSteps:
    """The steps of a project. What a distribution that is there does without is done. Raises TryLater."""
    live = await distributions.page(pool, project_id, "", 1, status="LIVE")
    found = live or await distributions.page(pool, project_id, "", 1)
    rule = found[0] if found else None
    things = await first_things(pool, project_id, rule.id if rule else None)
    has_account = things.has_account or bool(await accounts.shown(Accounts(pool), settings, project_id))
    done: dict[StepName, bool] = {
        "account": has_account or _does_without(rule),
        "brand": not (await stored_project(pool, settings, project_id)).brand.missing() or _does_without(rule),
        "template": things.has_template or _does_without(rule),
        "customer": things.has_customer,
        "distribution": bool(live),
        "test": things.has_tested or things.has_message,
        "event": things.has_message,
    }
    steps = tuple(FirstStep(name, is_done) for name, is_done in done.items())
    return FirstSteps(steps, rule.id if rule else None, rule is not None and TRIGGERS[rule.trigger.event].addressed)


def _does_without(rule: Distribution | None) -> bool:
    """True of a distribution that needs neither an account nor a template: webhooks go to an address."""
    return rule is not None and all(plan.channel == "webhook" for _, plan in rule.plans())
