"""Everything that Postgres keeps of customers: the one list that erasures and exports go by.

A table stands here, or among those that have nothing of customers with the reason; a test holds that none is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """Tables that hold something of customers.

    `section` is that of an export, which a block of `export.sql` reads. An erasure runs the blocks of `erasure.sql`
    that are in `noted` once a sender reads the tombstone, and those in `recorded` while no recorder writes; what is in
    `elsewhere`, as file and block, is run by whoever knows more: who claims deliveries, releases holds, keeps segments.
    `stays` says what is left after all that, or why nothing has to be done.
    """

    tables: tuple[str, ...]
    section: str = ""
    noted: tuple[str, ...] = ()
    recorded: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    stays: str = ""


KEPT: tuple[Kept, ...] = (
    Kept(("erased_customers",), "erasures", stays="the id, as long as something of before may still be read"),
    Kept(("segment_customers",), "profiles", elsewhere=("segments.erase_customers",)),
    Kept(("consents",), "consents", ("forget_consents",)),
    Kept(("consent_choices",), "choices", ("forget_choices",)),
    Kept(
        ("segment_memberships", "segment_unjudged"),
        "segments",
        elsewhere=("segments.erase_memberships", "segments.clear_unjudged"),
    ),
    Kept(("segment_records",), "behaviours", elsewhere=("behaviours.erase_records",)),
    Kept(
        ("open_deliveries", "ended_deliveries"),
        "deliveries",
        elsewhere=("erasure.erase",),
        stays="ids and how it ended, until retention takes them",
    ),
    Kept(("status_events",), "reports", stays="ids, and what providers said of how it ended"),
    Kept(("delivery_reach",), "reach", stays="ids, and how far messages came"),
    Kept(("recorded_decisions",), "decisions", recorded=("forget_decisions",), stays="ids, until retention takes them"),
    Kept(("recorded_statuses",), "ends", recorded=("forget_statuses",), stays="ids, until retention takes them"),
    Kept(
        ("recorded_purchases",),
        "purchases",
        recorded=("forget_purchases",),
        stays="ids and amounts, until retention takes them",
    ),
    Kept(
        ("rebuilt_decisions", "rebuilt_statuses", "rebuilt_purchases"),
        recorded=("forget_rebuilt_decisions", "forget_rebuilt_statuses", "forget_rebuilt_purchases"),
        stays="copies of the three before, on their way into their place",
    ),
    Kept(("holds",), "holds", elsewhere=("holds.erase",), stays="ids, while a replay may ask for the same again"),
    Kept(("held_requests",), "requests", elsewhere=("held.release",)),
    Kept(
        ("publications", "codes"),
        "codes",
        ("erase_publications",),
        stays="the code, which is the customer's, and the id of who has it",
    ),
    Kept(("sent_without_code",), stays="ids, which are hashes"),
    Kept(("send_members",), "sends", ("forget_memberships",)),
    Kept(("sends",), noted=("forget_checkpoints",), stays="the id that a send came to last, while it is under way"),
    Kept(("endpoint_calls",), "calls", ("forget_calls",)),
    Kept(
        ("suppressions",),
        "suppressions",
        elsewhere=("erasure.forget_suppressed",),
        stays="the hash of the address, by which deliveries are compared: nothing is sent there",
    ),
    Kept(("soft_bounces",), "bounces", stays="hashes of addresses, with counts"),
    Kept(("audit_log",), "audit", stays="the id, as people and keys named it"),
    Kept(
        ("membership_changes", "segment_outbox", "outbox"),
        stays="what Kafka has not acknowledged yet, for seconds",
    ),
    Kept(("import_parts",), stays="files that are handed in, until they are added: lines of erased customers are not"),
    Kept(("api_replies",), stays="replies to repeated requests, for a day: ids and counts, no profile"),
)

_AUTHORS = "what people write about all customers; a definition may name some, and is theirs to change"
_COUNTS = "counts"
_WORK = "how far work is"
_DESTINATIONS = "accounts and endpoints"
NOTHING_OF_CUSTOMERS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "distribution_versions", "deleted_distributions", "templates", "attached_files", "named_templates",
            "named_template_versions", "names",
            "campaigns", "campaign_versions", "segments", "segment_behaviours", "projects", "accounts", "managed",
        ),
        _AUTHORS,
    ),
    **dict.fromkeys(
        (
            "recorded_decisions_by_minute", "recorded_statuses_by_minute", "rebuilt_decisions_by_minute",
            "rebuilt_statuses_by_minute", "decisions_by_hour", "decision_counters", "account_hours", "project_limits",
            "project_usage", "project_usage_returned", "code_expirations", "fields_seen",
        ),
        _COUNTS,
    ),
    **dict.fromkeys(
        (
            "migrations", "deployment", "chores", "senders", "segment_positions", "segment_behaviour_positions",
            "imports", "membership_telling", "recorded_positions", "rebuilt_positions", "rebuilds",
            "read_model_rebuilds", "oldest_event", "audit_mirror",
        ),
        _WORK,
    ),
    **dict.fromkeys(
        ("paused_destinations", "hurried_destinations", "shared_destinations", "breakers"), _DESTINATIONS
    ),
    "claims": "ids of deliveries alone, which are hashes",
    "send_actions": "what people did to sends",
    "send_approvals": "who approved of sends",
    **dict.fromkeys(
        (
            "api_keys", "users", "user_roles", "user_links", "sessions", "user_identities", "oidc_attempts",
            "oidc_logout_tokens", "passkeys", "passkey_challenges",
        ),
        "who may ask",
    ),
    **dict.fromkeys(("api_failures", "sign_in_attempts", "sign_in_networks"), "those who may not, and their networks"),
    "notices": "what waits for an operator",
    "notice_messages": "what waits for an operator",
}  # fmt: skip
"""Tables without anything of a customer, each with what is in it."""

NOTED: tuple[str, ...] = tuple(name for one in KEPT for name in one.noted)
"""Blocks of `erasure.sql` that a sender runs for a tombstone, in order."""
RECORDED: tuple[str, ...] = tuple(name for one in KEPT for name in one.recorded)
"""Those that are run while no recorder writes."""
SECTIONS: tuple[str, ...] = tuple(one.section for one in KEPT if one.section)
"""Sections of an export that Postgres has, in order: blocks of `export.sql`."""
