"""Deliveries that write to a customer's profile at a provider."""

from __future__ import annotations

from schemas.delivery import Delivery

_ADDRESSES = ("email", "phone")


class ProfileDelivery(Delivery, frozen=True, kw_only=True):
    """Its provider may know the profile by a name of ours alone, which no list of addresses holds."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """See `Delivery`: the mailbox and the number of the profile that counted."""
        profile = self.data.get("customer")
        known = [profile.get(name) for name in _ADDRESSES] if isinstance(profile, dict) else []
        return tuple(one for one in known if isinstance(one, str))
