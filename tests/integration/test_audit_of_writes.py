"""Every statement that changes what people keep: with a row of the audit log in its transaction, or not at all.

A new statement that writes has to be named here: among those of a case, or as the work of a machine.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from console.control import audit as use_cases
from console.control import user_links, users
from console.control.passkeys import own
from console.control.users import NewUser
from schemas.audit import AUDIT_ACTIONS, AuditAction, AuditEntry
from schemas.campaign import Campaign, CodeConfig
from schemas.channels.email import EmailAccountForm
from schemas.destination import Destination
from schemas.managed import GitSource, ManagedThing, Mark
from schemas.plan import MessageLimits
from schemas.project import Project
from schemas.segment import SegmentDefinition
from schemas.send import Audience, When
from schemas.suppression import NewSuppression
from schemas.template import NamedTemplate
from schemas.user import make_token, make_user_id
from store import identities, passkeys
from store.accounts import AccountKey, Accounts
from store.api_keys import ApiKeys
from store.audit import AuditFilter, AuditLog
from store.campaigns import CampaignChange, Campaigns
from store.chosen_holds import FIRST, ChosenHolds, HoldFilter
from store.codes.imports import CodeImport, NewCode
from store.codes.pool import Codes
from store.consent_choices import ConsentChoices
from store.distribution_ends import DistributionEnds
from store.distributions import Change, Control
from store.encryption import Keys
from store.erasure import Erasure
from store.holds import Holds
from store.identities import Identity
from store.imports import NewImport, StagedImports
from store.managed import Following, Locked, Managed, Marking
from store.passkeys import NewCredential, Passkeys
from store.postgres import connect
from store.projects import Projects
from store.rebuilds import Rebuilds
from store.segments import Segments
from store.send_rows import SendRow
from store.sending.deliveries import Deliveries, DeliveryFilter
from store.sending.ledger import Ledger
from store.sending.suppressions import Suppressions
from store.sends import Sends
from store.sessions import Comer, ProviderLogout, Sessions, Signed
from store.sql import FOLDER, queries
from store.templates import NamedTemplates
from store.users import Users
from tests.factory import NOW, TEMPLATE, rule
from tests.integration.test_accounts import NEW, OLD
from tests.integration.test_chosen_holds import waits
from tests.integration.test_deliveries import failed, settle
from tests.integration.test_store import LEASE, new

Work = Callable[[asyncpg.Pool], Awaitable[object]]
_WRITES = re.compile(r"\b(?:insert into|update|delete from)\s+(?:only\s+)?([a-z_]+)", re.IGNORECASE)
_NOT_TABLES = {"set", "of", "skip"}
"""As in `do update set`, `for update of`, `for update skip locked`."""


@dataclass(frozen=True, slots=True)
class Case:
    """Something that a person or a key does: the statements that it runs, the row that it leaves, and its work."""

    action: AuditAction
    statements: tuple[str, ...]
    work: Work
    before: tuple[Work, ...] = ()
    by: str | None = "ann"
    """Who did it; None: the user themselves, whose id is the thing."""


async def distribution(pool: asyncpg.Pool) -> None:
    change = Change(rule(), "", (TEMPLATE,), {"d" * 64: b"terms"})
    await Control(pool).save([change], applied_by="ann", now=NOW)


async def step(pool: asyncpg.Pool) -> None:
    await Control(pool).set_status(rule(), "PAUSED", applied_by="ann", now=NOW)


async def unsent(pool: asyncpg.Pool) -> None:
    await Control(pool).save([Change(rule(status="DRAFT"), "", ())], applied_by="ann", now=NOW)


async def archived(pool: asyncpg.Pool) -> None:
    await Control(pool).set_status(rule(), "ARCHIVED", applied_by="ann", now=NOW)


async def restored(pool: asyncpg.Pool) -> None:
    before = msgspec.structs.replace(rule(), version=2, status="ARCHIVED")
    await Control(pool).set_status(before, "STOPPED", applied_by="ann", now=NOW)


async def deleted(pool: asyncpg.Pool) -> None:
    await DistributionEnds(pool).delete(rule(status="DRAFT"), by="ann", now=NOW)


async def put_back(pool: asyncpg.Pool) -> None:
    await DistributionEnds(pool).put_back("shop", rule().id, by="ann", now=NOW)


async def template(pool: asyncpg.Pool) -> None:
    made = NamedTemplate(project_id="shop", name="hello", version=1, files={"hello.txt": "Hi"})
    await NamedTemplates(pool).save([made], applied_by="ann", now=NOW)


async def segment(pool: asyncpg.Pool) -> None:
    made = SegmentDefinition(id="vip", project_id="shop", name="VIP", version=1, updated_at=NOW, members=["c1"])
    await Segments(pool).save([(made, "")], applied_by="ann", now=NOW)


async def rebuild_begun(pool: asyncpg.Pool) -> None:
    await Rebuilds(pool).add("shop", "rebuild_1", "ann")


async def campaign(pool: asyncpg.Pool) -> None:
    made = Campaign(
        id="spring", project_id="shop", name="Spring", version=1, kind="DISCOUNT_COUPONS", type="AUTO_UPDATE",
        code_config=CodeConfig(pattern="S-####", length=6), created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    await Campaigns(pool).save([CampaignChange(made, "")], applied_by="ann", now=NOW)


async def import_begun(pool: asyncpg.Pool) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"code\nA\n"

    new = NewImport(kind="codes", campaign_id="spring", size=7)
    await StagedImports(pool).add("shop", "i", new, parts(), by="ann")


async def customers_begun(pool: asyncpg.Pool) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"id\nplanted\n"

    await StagedImports(pool).add("shop", "i", NewImport(kind="customers", size=11), parts(), by="ann")


async def import_canceled(pool: asyncpg.Pool) -> None:
    await StagedImports(pool).cancel("shop", "i", "ann")


async def codes_imported(pool: asyncpg.Pool) -> None:
    await CodeImport(pool, "shop", "spring", by="ann").merge([NewCode(1, "A", True, None, None, None, "{}")], NOW)


def project(version: int, limits: MessageLimits | None) -> Work:
    made = Project(id="shop", name="Shop", version=version, limits=limits, updated_at=NOW)

    async def save(pool: asyncpg.Pool) -> None:
        await Projects(pool).save([(made, "")], applied_by="ann", now=NOW)

    return save


async def draft(pool: asyncpg.Pool) -> None:
    """To a list, and another to a condition, which has a segment of its own."""
    made = SegmentDefinition(id="own", project_id="shop", name="Own", version=1, updated_at=NOW, members=["c1"])
    async with Sends(pool).change() as change:
        for identity, to in (("s", Audience(kind="list")), ("o", Audience(kind="segment", segment="own", own=True))):
            if to.own:
                await change.add_segment(made, "ann")
            times = {"when": When(), "hold": timedelta(minutes=10)}
            await change.add("shop", identity, "thanks", to=to, actor="ann", **times)  # type: ignore[arg-type]
            if not to.own:
                await change.add_members("shop", identity, ["c1"])
            send = await change.lock("shop", identity)
            assert send is not None
            await change.note(send, "draft", "ann")


def of_send(name: str, identity: str = "s") -> Work:
    async def work(pool: asyncpg.Pool) -> None:
        async with Sends(pool).change() as change:
            send = await change.lock("shop", identity)
            assert send is not None
            match name:
                case "approve":
                    await change.approvals.approve(send, 1, {"send": "0"}, "ann")
                case "edit":
                    edited = await change.edit(
                        send, When(at=datetime(2030, 1, 1, tzinfo=UTC)), send.hold, restarts=False
                    )
                    await change.readdress(edited, Audience(kind="list"))
                case "stop":
                    await change.stop(send, "stopped", "ann")
                case "discard":
                    await change.discard(send, "ann")
                    return
                case _:
                    done: Callable[[SendRow], Awaitable[SendRow]] = getattr(change, name)
                    await done(send)
            await change.note(send, name, "ann")

    return work


ACCOUNT = AccountKey("shop", "email", "main")
FORM = EmailAccountForm(host="mail.example.com", sender="shop@example.com", password="hunter2-planted")
KEYS = Keys.read([OLD])


async def account(pool: asyncpg.Pool) -> None:
    await Accounts(pool).add(ACCOUNT, FORM, KEYS, by="ann")


def of_account(name: str) -> Work:
    async def work(pool: asyncpg.Pool) -> None:
        accounts = Accounts(pool)
        changed = lambda form: replace(form, password="hunter3-planted")  # noqa: E731
        match name:
            case "change":
                await accounts.change(ACCOUNT, changed, KEYS, by="ann")
            case "retire":
                await accounts.retire(ACCOUNT, changed, KEYS, timedelta(hours=1), by="ann")
            case "rotate":
                await accounts.rotate(Keys.read([NEW, OLD]), by="ann")
            case _:
                await getattr(accounts, name)(ACCOUNT, by="ann")

    return work


async def key(pool: asyncpg.Pool) -> None:
    await ApiKeys(pool).add("planted", "shop", "ci", "live", "editor", by="ann", lasts=timedelta(days=1))


async def revoke(pool: asyncpg.Pool) -> None:
    await ApiKeys(pool).revoke("shop", "ci", by="ann")


JO = NewUser("shop", "jo@example.com", "Jo planted", "editor")


def random_of(number: int) -> Callable[[int], bytes]:
    return lambda length: bytes([number]) * length


async def user(pool: asyncpg.Pool) -> None:
    await users.add(Users(pool), JO, "planted-hash", random_of(1), actor="ann")


async def invited(pool: asyncpg.Pool) -> None:
    await users.invite(Users(pool), JO, random_of(2), actor="ann")


def of_user(name: str) -> Work:
    async def work(pool: asyncpg.Pool) -> None:
        known = Users(pool)
        match name:
            case "role":
                await users.change_role(known, "shop", "jo@example.com", "viewer", actor="ann")
            case "reset":
                await users.allow_reset(known, "shop", "jo@example.com", random_of(3), actor="ann")
            case _:
                await getattr(users, name)(known, "shop", "jo@example.com", actor="ann")

    return work


USER_ID = make_user_id(random_of(1)(8))


def sessions_of(pool: asyncpg.Pool) -> Sessions:
    return Sessions(pool, idle=timedelta(hours=1), longest=timedelta(hours=2))


async def signed_in(pool: asyncpg.Pool) -> None:
    proved = await Users(pool).find(USER_ID)
    assert proved is not None
    assert await sessions_of(pool).begin("planted-token", "ses_1", proved, Comer("203.0.113.7", "planted"))


KIM = Identity("https://login.example", "kim-1")


async def linked(pool: asyncpg.Pool) -> None:
    async with Users(pool).change() as change:
        assert await identities.link(change, KIM, USER_ID)
        users.note(change, "shop", f"user:{USER_ID}", "user.linked", USER_ID)


async def unlinked(pool: asyncpg.Pool) -> None:
    async with Users(pool).change() as change:
        assert await identities.unlink(change, USER_ID, KIM.issuer)
        users.note(change, "shop", f"user:{USER_ID}", "user.unlinked", USER_ID)


async def signed_in_by_provider(pool: asyncpg.Pool) -> None:
    names = {"issuer": KIM.issuer, "subject": KIM.subject}
    comer = Comer("203.0.113.7", "planted")
    assert await sessions_of(pool).begin_by_identity("planted-token", "ses_1", USER_ID, comer, **names)


async def ended_by_provider(pool: asyncpg.Pool) -> None:
    logout = ProviderLogout(KIM.issuer, KIM.subject, None, "planted-id", datetime.now(UTC) + timedelta(minutes=2))
    assert await sessions_of(pool).end_by_provider(logout, by="ann") == 1


async def passkey(pool: asyncpg.Pool) -> None:
    async with Users(pool).change() as change:
        assert await passkeys.add(
            change, "pky_1", USER_ID, "planted-name", NewCredential(b"c", b"planted-key", 1, False)
        )
        users.note(change, "shop", f"user:{USER_ID}", "user.passkey_added", USER_ID)


async def passkey_removed(pool: asyncpg.Pool) -> None:
    await own.remove(Users(pool), Passkeys(pool), "shop", USER_ID, "pky_1", actor="ann")


async def signed_in_by_passkey(pool: asyncpg.Pool) -> None:
    comer, signed = Comer("203.0.113.7", "planted"), Signed("pky_1", b"c", 2)
    begin = sessions_of(pool).begin_by_passkey
    assert await begin("planted-token", "ses_1", USER_ID, comer, signed, without_roles_of="oidc")


async def joined(pool: asyncpg.Pool) -> None:
    """By the link, as whoever comes is not known before; the rows bear the user's own id."""
    await user_links.choose_password(Users(pool), make_token(random_of(2)(32)), "planted-hash")


async def suppression(pool: asyncpg.Pool) -> None:
    entry = NewSuppression(project_id="shop", key="jo@example.com", reason="requested", source="x", added_by="ann")
    await Suppressions(pool).add([entry], by="ann")


async def unsuppress(pool: asyncpg.Pool) -> None:
    await Suppressions(pool).remove("shop", "jo@example.com", by="ann")


async def hold(pool: asyncpg.Pool) -> None:
    await Holds(pool).add([waits("hld_1")])


async def cancel_hold(pool: asyncpg.Pool) -> None:
    await ChosenHolds(pool).cancel(HoldFilter("shop", distribution="thanks"), "ann", after=FIRST, limit=10)


async def delivery(pool: asyncpg.Pool) -> None:
    ledger = Ledger(pool)
    await ledger.claim_new([new(0), new(1)], owner="s", lease=LEASE)
    await settle(ledger, failed("d0"))
    await pool.execute("update open_deliveries set lease_owner = null, lease_until = null, detail = 'HTTP 503'")


def of_delivery(action: str) -> Work:
    async def work(pool: asyncpg.Pool) -> None:
        await Deliveries(pool).act(action, DeliveryFilter("shop"), "ann", after="", limit=10)  # type: ignore[arg-type]

    return work


async def paused(pool: asyncpg.Pool) -> None:
    await Ledger(pool).pause_destination(Destination("shop", "webhook", "a"), "refused", "HTTP 401")


async def resumed(pool: asyncpg.Pool) -> None:
    await Ledger(pool).resume_destination(Destination("shop", "webhook", "a"), by="ann")


SOURCE = GitSource("github.com/acme/shop", "c" * 40)
THING = ManagedThing("shop", "segment", "vip")


async def managed(pool: asyncpg.Pool) -> None:
    mark = Mark(THING, SOURCE, "d" * 64, 1, "ann", NOW)
    await Managed(pool).put(Marking([mark]), by="ann")


async def overridden(pool: asyncpg.Pool) -> None:
    made = SegmentDefinition(id="vip", project_id="shop", name="VIP", version=1, updated_at=NOW, members=["c1"])
    await Segments(pool).save([(made, "")], applied_by="ann", now=NOW, keep=Locked(override=True))


async def managed_distribution(pool: asyncpg.Pool) -> None:
    mark = Mark(ManagedThing("shop", "distribution", rule().id), SOURCE, "d" * 64, 1, "ann", NOW)
    await Managed(pool).put(Marking([mark]), by="ann")


async def followed(pool: asyncpg.Pool) -> None:
    after = msgspec.structs.replace(rule(), version=2, country="PL")
    keep = Following([("shop", after.id, 2)])
    await Control(pool).save([Change(after, "", ())], applied_by="ann", now=NOW, keep=keep)


_SENT = (distribution, draft)
CASES = {
    "managed": Case("managed.applied", ("managed.mark",), managed),
    "managed-followed": Case(
        "distribution.changed", ("managed.follow",), followed, (distribution, managed_distribution)
    ),
    "managed-released": Case(
        "managed.released", ("managed.release",), lambda pool: Managed(pool).release(THING, by="ann"), (managed,)
    ),
    "managed-overridden": Case("managed.overridden", (), overridden, (managed,)),
    "distribution": Case(
        "distribution.created",
        ("control.add_version", "control.put_template", "control.put_file", "control.add_to_outbox"),
        distribution,
    ),
    "step": Case("distribution.paused", ("control.add_version",), step, (distribution,)),
    "archived": Case("distribution.archived", ("control.add_version",), archived, (distribution,)),
    "restored": Case("distribution.restored", ("control.add_version",), restored, (distribution, archived)),
    "deleted": Case(
        "distribution.deleted",
        ("distribution_ends.keep_deleted", "distribution_ends.delete_versions", "control.add_to_outbox"),
        deleted,
        (unsent,),
    ),
    "put-back": Case(
        "distribution.restored",
        ("distribution_ends.take_deleted", "distribution_ends.put_back", "control.add_to_outbox"),
        put_back,
        (unsent, deleted),
    ),
    "template": Case("template.created", ("templates.put_template", "templates.add_version"), template),
    "template-deleted": Case(
        "template.deleted",
        ("templates.delete_template",),
        lambda pool: NamedTemplates(pool).delete("shop", "hello", NOW, by="ann"),
        (template,),
    ),
    "segment": Case("segment.created", ("segments.apply",), segment),
    "segment-removed": Case(
        "segment.removed", ("segments.remove",), lambda pool: Segments(pool).remove("shop", "vip", by="ann"), (segment,)
    ),
    "campaign": Case("campaign.created", ("campaigns.put_campaign", "campaigns.add_version"), campaign),
    "codes-generated": Case(
        "codes.generated",
        ("codes.add_made", "codes.count_added"),
        lambda pool: Codes(pool).generate("shop", "spring", 3, NOW, by="ann"),
        (campaign,),
    ),
    "import-begun": Case("codes.import_begun", ("imports.add", "imports.add_part"), import_begun, (campaign,)),
    "import-canceled": Case(
        "codes.import_canceled",
        ("imports.ask_to_cancel", "imports.drop_parts"),
        import_canceled,
        (campaign, import_begun),
    ),
    "customers-begun": Case("customers.import_begun", (), customers_begun),
    "customers-canceled": Case("customers.import_canceled", (), import_canceled, (customers_begun,)),
    "codes-imported": Case(
        "codes.imported", ("code_import.add_incoming", "code_import.count_incoming"), codes_imported, (campaign,)
    ),
    "project": Case("project.created", ("projects.put_project", "limits.put"), project(1, MessageLimits(a_day=5))),
    "project-changed": Case(
        "project.changed", ("limits.drop",), project(2, None), (project(1, MessageLimits(a_day=5)),)
    ),
    "send": Case(
        "send.drafted", ("sends.add", "sends.add_members", "sends.note", "segments.apply"), draft, (distribution,)
    ),
    "send-confirmed": Case("send.confirmed", ("sends.confirm",), of_send("confirm"), _SENT),
    "send-approved": Case("send.approved", ("approvals.approve", "approvals.look_at_once"), of_send("approve"), _SENT),
    "send-edited": Case("send.edited", ("sends.edit", "sends.readdress"), of_send("edit"), _SENT),
    "send-paused": Case(
        "send.paused", ("sends.pause", "sends.put_off"), of_send("pause"), (*_SENT, of_send("confirm"))
    ),
    "send-resumed": Case(
        "send.resumed",
        ("sends.resume", "sends.call_back"),
        of_send("resume"),
        (*_SENT, of_send("confirm"), of_send("pause")),
    ),
    "send-stopped": Case(
        "send.stopped",
        ("sends.stop", "sends.cancel", "sends.call_off"),
        of_send("stop"),
        (*_SENT, of_send("confirm")),
    ),
    "send-discarded": Case("send.discarded", ("sends.discard", "sends.remove_segment"), of_send("discard", "o"), _SENT),
    "account": Case("account.created", ("accounts.add_account", "accounts.release_destinations"), account),
    "account-changed": Case("account.changed", ("accounts.change_account",), of_account("change"), (account,)),
    "account-retired": Case("account.changed", ("accounts.begin_grace",), of_account("retire"), (account,)),
    "account-paused": Case(
        "account.paused", ("accounts.set_state", "accounts.hold_destination"), of_account("pause"), (account,)
    ),
    "account-resumed": Case(
        "account.resumed", ("accounts.set_state",), of_account("resume"), (account, of_account("pause"))
    ),
    "account-removed": Case("account.removed", ("accounts.remove_account",), of_account("remove"), (account,)),
    "accounts-rotated": Case("account.encrypted_again", ("accounts.encrypt_again",), of_account("rotate"), (account,)),
    "key": Case("key.created", ("api_keys.add_key",), key),
    "key-revoked": Case("key.revoked", ("api_keys.revoke_key",), revoke, (key,)),
    "user": Case(
        "user.added", ("users.add_user", "users.put_role", "users.set_password", "users.drop_all_links"), user
    ),
    "user-invited": Case(
        "user.invited", ("users.add_user", "users.put_role", "users.add_link", "users.drop_links"), invited
    ),
    "user-role": Case("user.role_changed", ("users.change_role",), of_user("role"), (user,)),
    "user-disabled": Case("user.disabled", ("users.set_state",), of_user("disable"), (user,)),
    "user-enabled": Case("user.enabled", ("users.set_state",), of_user("enable"), (user, of_user("disable"))),
    "user-removed": Case("user.removed", ("users.drop_role", "users.drop_user"), of_user("remove"), (user,)),
    "user-reset": Case("user.reset_allowed", ("users.add_link",), of_user("reset"), (user,)),
    "user-signed-in": Case(
        "user.signed_in",
        ("sessions.begin", "sessions.note_sign_in", "sessions.note_network"),
        signed_in,
        (user,),
        by=None,
    ),
    "user-linked": Case("user.linked", ("identities.link",), linked, (user,), by=None),
    "user-unlinked": Case("user.unlinked", ("identities.unlink",), unlinked, (user, linked), by=None),
    "user-signed-in-by-provider": Case(
        "user.signed_in", ("sessions.begin_by_identity",), signed_in_by_provider, (user, linked), by=None
    ),
    "passkey-added": Case("user.passkey_added", ("passkeys.add_passkey",), passkey, (user,), by=None),
    "passkey-removed": Case("user.passkey_removed", ("passkeys.remove_passkey",), passkey_removed, (user, passkey)),
    "user-signed-in-by-passkey": Case(
        "user.signed_in",
        ("sessions.begin_by_passkey", "passkeys.note_passkey_use"),
        signed_in_by_passkey,
        (user, passkey),
        by=None,
    ),
    "session-ended": Case(
        "user.sessions_ended",
        ("sessions.end_session",),
        lambda pool: sessions_of(pool).end(USER_ID, "ses_1", by="ann"),
        (user, signed_in),
    ),
    "sessions-ended": Case(
        "user.sessions_ended",
        ("sessions.end_sessions",),
        lambda pool: sessions_of(pool).end_all(USER_ID, by="ann"),
        (user, signed_in),
    ),
    "sessions-ended-by-provider": Case(
        "user.sessions_ended",
        ("sessions.end_by_provider", "sessions.use_logout_token"),
        ended_by_provider,
        (user, linked, signed_in_by_provider),
    ),
    "user-joined": Case(
        "user.joined", ("users.take_link", "users.accept_role", "users.set_password"), joined, (invited,), by=None
    ),
    "suppression": Case("suppressions.added", ("suppressions.add_suppressions",), suppression),
    "suppression-removed": Case(
        "suppressions.removed", ("suppressions.remove_suppressions",), unsuppress, (suppression,)
    ),
    "hold-canceled": Case("holds.canceled", ("chosen_holds.cancel",), cancel_hold, (hold,)),
    "resent": Case("deliveries.resent", ("deliveries.resend",), of_delivery("resend"), (delivery,)),
    "canceled": Case("deliveries.canceled", ("deliveries.cancel",), of_delivery("cancel"), (delivery,)),
    "hurried": Case("deliveries.hurried", ("deliveries.hurry",), of_delivery("hurry"), (delivery,)),
    "erasure": Case(
        "customer.erased",
        ("erasure.ask",),
        lambda pool: Erasure(pool).ask(AuditEntry("shop", "ann", "customer.erased", "c1"), "c1"),
    ),
    "consents": Case(
        "customer.consents_set",
        ("consent_choices.choose",),
        lambda pool: ConsentChoices(pool).choose(
            "shop", "c1", {"marketing": False}, way="staff", delivery_id=None, by="ann"
        ),
    ),
    "rebuild-begun": Case("read_models.rebuild_begun", ("rebuilds.add",), rebuild_begun),
    "rebuild-canceled": Case(
        "read_models.rebuild_canceled",
        ("rebuilds.ask_to_cancel",),
        lambda pool: Rebuilds(pool).cancel("shop", "rebuild_1", "ann"),
        (rebuild_begun,),
    ),
    "destination": Case("destination.resumed", ("ledger.resume_destination",), resumed, (paused,)),
}

BY_MACHINES = {
    **dict.fromkeys(
        ("behaviours", "fields_seen", "memberships", "notices", "recorded", "reputation", "status_events", "watching"),
        "what workers gather of events and answers",
    ),
    "sign_ins": "attempts that proved nothing",
    **dict.fromkeys(("held", "exchanges", "retention", "api_replies"), "the going on of work, and its end by age"),
    "audit": "the log itself",
    "audit_mirror": "how much of the log its topic has",
    "consents": "customers' own, as events tell them",
    "endpoint_calls": "calls of endpoints as senders made them",
    "holds": "what waits, as the holder keeps it",
    "rebuild": "read models made anew of the topics: nothing that people keep",
}
"""Files of statements that no person's change of what is kept comes from."""
ALONE_BY_MACHINES = {
    "api_keys.note_use": "when a key was used",
    "api_keys.count_failure": "attempts that proved nothing",
    "sessions.note_use": "when a session was used",
    "identities.begin_attempt": "attempts that proved nothing",
    "identities.take_attempt": "attempts that proved nothing",
    **{
        f"passkeys.{name}": "attempts that proved nothing"
        for name in ("begin_sign_in", "begin_adding", "take_sign_in", "take_adding")
    },
    "users.hash_again": "the same password, by what is usual now",
    "names.keep_name_keys": "names that are there, as a search compares them",
    "codes.count_expirations": "codes that publishers claimed",
    "codes.count_claimed": "codes that publishers claimed",
    "control.forget_outbox": "Kafka has it",
    "deliveries.hurry_changed": "a part of what hurries a delivery: see `console/control/deliveries.py`",
    "segments.add_position": "how far segmenters are",
    "segments.move_position": "how far segmenters are",
    "segments.advance": "how far segmenters are",
    "segments.finish": "how far segmenters are",
    "segments.put_memberships": "who is in it, as segmenters judge",
    "segments.add_customers": "profiles",
    "segments.put_customers": "profiles",
    "segments.put_due": "profiles",
    "segments.add_to_outbox": "who came and went",
    "segments.take_outbox": "Kafka has it",
    "segments.clear_unjudged": "who cannot be judged",
    "segments.put_unjudged": "who cannot be judged",
    "segments.erase_unjudged": "customers that upstream erased",
    "segments.erase_memberships": "customers that upstream erased",
    "segments.erase_customers": "customers that upstream erased",
    "sends.add_backfill": "begun by a distribution that is set live, whose row says so, and noted as confirmed",
    "sends.claim": "how far a fan-out is",
    "sends.complete": "how far a fan-out is",
    "sends.begin": "how far a fan-out is",
    "sends.sweep": "how far a fan-out is",
    "sends.advance": "how far a fan-out is",
    "sends.release": "how far a fan-out is",
    "sends.free": "how far a fan-out is",
    "sends.finish": "how far a fan-out is",
    **dict.fromkeys(
        ("rebuilds.claim", "rebuilds.beat", "rebuilds.end", "rebuilds.release"), "how far read models are made anew"
    ),
    **{
        f"imports.{name}": "how far an import is, whose batches have rows of their own"
        for name in ("claim", "begin_check", "beat", "checked", "advance", "end", "release")
    },
    "suppressions.lift_suppression": "the owner of a number wrote START",
    "suppressions.count_bounces": "what servers answered",
    **{
        f"erasure.{name}": "the blanking that an erasure has done, whoever asked for it"
        for name in (
            "note", "forget_consents", "forget_calls", "forget_suppressed", "forget_choices", "forget_memberships",
            "forget_decisions", "forget_statuses", "forget_rebuilt_decisions", "forget_rebuilt_statuses", "erase",
            "erase_publications", "forget_checkpoints", "forget_purchases", "forget_rebuilt_purchases",
        )
    },
    **{
        f"ledger.{name}": "deliveries as senders work on them"
        for name in (
            "claim_new", "claim_due", "settle", "settle_ended", "renew", "end_expired", "mark_announced",
            "pause_destination", "release_leases", "claim_unannounced",
        )
    },
}  # fmt: skip


def writing() -> dict[str, set[str]]:
    """The statements that write, as file and name, and the tables that they write to."""
    found = {}
    for file in sorted(FOLDER.glob("*.sql")):
        for name, block in queries(file.stem).items():
            text = "\n".join(line for line in block.splitlines() if not line.startswith("--"))
            if tables := set(_WRITES.findall(text)) - _NOT_TABLES:
                found[f"{file.stem}.{name}"] = tables
    return found


def test_every_statement_that_writes_is_audited_or_the_work_of_a_machine() -> None:
    audited = {statement for case in CASES.values() for statement in case.statements}
    statements = writing()
    assert len(statements) > 100
    machines = {one for one in statements if one.partition(".")[0] in BY_MACHINES} | ALONE_BY_MACHINES.keys()
    assert audited & machines == set()
    assert statements.keys() - audited - machines == set(), "name a case that leaves a row, or say why it needs none"
    assert (audited | ALONE_BY_MACHINES.keys()) - statements.keys() == set()


NOT_OF_A_CASE = {
    "distribution.changed", "distribution.set_live", "distribution.resumed", "distribution.stopped",
    "segment.changed", "template.changed", "campaign.changed", "dead_letters.replayed", "user.password_set",
    "customer.exported", "dead_letters.mended", "distribution.tested", "user.sign_in_refused",
}  # fmt: skip
"""Other names of what a case does, and what is put back into Kafka."""
ALSO: dict[str, tuple[str, ...]] = {"user.joined": ("user.password_set",), "managed.overridden": ("segment.created",)}
"""What a case says beside its action."""


def test_every_action_has_a_case() -> None:
    assert {case.action for case in CASES.values()} | NOT_OF_A_CASE == set(AUDIT_ACTIONS)


@pytest.mark.parametrize("name", CASES)
async def test_a_change_and_its_row_are_one_transaction(pool: asyncpg.Pool, dsn: str, name: str) -> None:
    case = CASES[name]
    for work in case.before:
        await work(pool)
    log, tables = AuditLog(pool), {table for one in case.statements for table in writing()[one]}
    rows, kept = len(await log.page(AuditFilter("shop"), 100)), await contents(pool, tables)
    await pool.execute(
        "create function refuse() returns trigger language plpgsql as $$ begin raise 'no row'; end $$;"
        "create trigger refuse before insert on audit_log execute function refuse()"
    )
    with pytest.raises(asyncpg.RaiseError, match="no row"):
        await case.work(pool)
    assert await contents(pool, tables) == kept
    await pool.execute("drop trigger refuse on audit_log")

    ran = await watched(dsn, case.work)
    assert {one for one in case.statements if sql_of(one) not in ran} <= filtered(case)
    found = await log.page(AuditFilter("shop"), 100)
    mine = [one.row for one in found[: len(found) - rows]]
    assert {one.actor for one in mine} == {case.by or f"user:{mine[0].thing}"}
    assert case.action in {one.action for one in mine} <= {case.action, *ALSO.get(case.action, ())}
    assert "planted" not in " ".join(one.row.change for one in found)
    assert "jo@example.com" not in " ".join(one.row.change + one.row.thing for one in found)
    assert (await use_cases.verify(log, "shop")).fault is None


def filtered(case: Case) -> set[str]:
    """Statements that are completed by a filter, so that they are not run as they are written."""
    return {one for one in case.statements if one.partition(".")[0] in ("chosen_holds", "deliveries")}


def sql_of(statement: str) -> str:
    file, _, name = statement.partition(".")
    return queries(file)[name]


async def contents(pool: asyncpg.Pool, tables: set[str]) -> dict[str, list[str]]:
    return {
        table: [row[0] for row in await pool.fetch(f"select t::text from {table} t order by 1")]  # noqa: S608
        for table in sorted(tables)
        if await pool.fetchval("select to_regclass($1)", table)
    }


async def watched(dsn: str, work: Work) -> set[str]:
    """The statements that some work runs."""
    own, ran = await connect(dsn, size=1), set[str]()
    try:
        async with own.acquire() as connection:
            raw = connection._con
            raw.add_query_logger(lambda query: ran.add(query.query))
        await work(own)
    finally:
        own.terminate()
    return ran


async def test_what_changes_nothing_leaves_no_row(pool: asyncpg.Pool) -> None:
    for work in (suppression, suppression, unsuppress, unsuppress, key, key, revoke, revoke, resumed, cancel_hold):
        await work(pool)
    rows = await AuditLog(pool).page(AuditFilter("shop"), 100)
    assert [one.row.action for one in reversed(rows)] == [
        "suppressions.added", "suppressions.removed", "key.created", "key.revoked",
    ]  # fmt: skip


async def test_what_is_taken_back_leaves_no_row(pool: asyncpg.Pool) -> None:
    entry = NewSuppression(project_id="shop", key="jo@example.com", reason="requested", source="x", added_by="ann")
    listed = Suppressions(pool)
    assert await listed.add([entry], by="ann", dry_run=True) == 1
    await listed.add([entry])
    assert await listed.remove("shop", "jo@example.com", by="ann", dry_run=True) == 1
    assert await AuditLog(pool).page(AuditFilter("shop"), 100) == []


async def test_accounts_are_told_by_the_names_of_their_fields(pool: asyncpg.Pool) -> None:
    await account(pool)
    await of_account("change")(pool)
    changed, made = [msgspec.json.decode(one.row.change) for one in await AuditLog(pool).page(AuditFilter("shop"), 9)]
    assert changed == {"fields": ["password"]}
    assert {"host", "password", "sender"} <= set(made["fields"])
