"""Choices of customers about what they are sent: leaving, and the page of all categories."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from channels.unsubscribe import Subscriber
from console.control.callbacks import Database
from console.control.context import ProjectContext
from deploy.settings.settings import Settings
from schemas.closed import ChoiceWay
from schemas.consent_choice import EVERY_CATEGORY
from schemas.delivery import TEST_ID
from schemas.distribution import TRANSACTIONAL
from schemas.tracking import NO_TRACKING, TRACKING
from store.consent_choices import ConsentChoices, KnownConsents
from store.projects import Projects


@dataclass(frozen=True, slots=True)
class Category:
    """A consent category, and whether its messages are sent."""

    name: str
    is_given: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """The page of one customer: whose messages they are, in which language, and what is sent.

    `has_left_all`: all categories were left at once, those that come later as well.
    """

    brand: str
    locale: str
    categories: tuple[Category, ...]
    has_left_all: bool

    def is_given(self, category: str) -> bool:
        """True where messages of a category are sent."""
        return any(one.is_given for one in self.categories if one.name == category)


class Subscriptions:
    """The choices of all projects' customers: whoever tries the links of a test changes nobody's.

    Raises TryLater while Postgres is away.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database

    async def standing(self, subscriber: Subscriber) -> Standing:
        """All that the pages show."""
        pool = await self._database()
        stored = await Projects(pool).get(subscriber.project_id)
        context = ProjectContext.of(self._settings, subscriber.project_id, stored.project if stored else None)
        known = await ConsentChoices(pool).known(subscriber.project_id, subscriber.customer_id)
        tracked = () if context.tracking == NO_TRACKING else (TRACKING,)
        names = dict.fromkeys((*context.consents, *tracked, subscriber.category))
        shown = tuple(Category(name, is_given(name, known)) for name in names if name != TRANSACTIONAL)
        return Standing(context.brand.name, context.brand.locale, shown, known.chosen.get(EVERY_CATEGORY) is False)

    async def leave(self, subscriber: Subscriber, *, everything: bool, way: ChoiceWay) -> None:
        """Withdraw the category of the message, or all of them; transactional messages are no category to leave."""
        is_all = everything or subscriber.category == TRANSACTIONAL
        await self._keep(subscriber, {EVERY_CATEGORY if is_all else subscriber.category: False}, way)

    async def choose(self, subscriber: Subscriber, wanted: Collection[str]) -> None:
        """Have these categories sent and no others; one that no profile gives is asked for, and its project decides."""
        standing = await self.standing(subscriber)
        chosen = {one.name: one.name in wanted for one in standing.categories}
        changed = {one.name: chosen[one.name] for one in standing.categories if one.is_given != chosen[one.name]}
        if not any(chosen.values()):
            changed = {EVERY_CATEGORY: False}
        elif changed and standing.has_left_all:
            changed = {EVERY_CATEGORY: True, **chosen}
        await self._keep(subscriber, changed, "page")

    async def _keep(self, subscriber: Subscriber, given: dict[str, bool], way: ChoiceWay) -> None:
        if not given or subscriber.delivery_id.startswith(TEST_ID):
            return
        choices = ConsentChoices(await self._database())
        customer = (subscriber.project_id, subscriber.customer_id)
        await choices.choose(*customer, given, way=way, delivery_id=subscriber.delivery_id)


def is_given(category: str, known: KnownConsents) -> bool:
    """True where it is sent: a withdrawal of all categories counts for each; without a profile a message is proof."""
    if known.chosen.get(EVERY_CATEGORY) is False:
        return False
    if category in known.chosen:
        return known.chosen[category]
    return known.by_profile is None or category in known.by_profile
