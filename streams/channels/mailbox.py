"""The customer's mailbox, for providers that know their contacts by it."""

from __future__ import annotations

from schemas.formats.mail_address import mail_address
from streams.event_context import Profile, profile_text
from streams.verdict import Skip


def known_mailbox(profile: Profile, provider: str) -> str | Skip:
    """The address by which a provider knows a customer, or why it cannot."""
    if not profile_text(profile, "email"):
        return Skip("no_address", "the customer has no email")
    try:
        return mail_address(profile["email"])
    except ValueError as error:
        return Skip("no_address", f"{provider} cannot know the customer by their email: {error}")
