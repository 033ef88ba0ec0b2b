"""`/p/<project>/sends/<id>`: one send, how far it is, and what is done to it: confirm, approve, edit, pause, stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from aiohttp import web

from console.control import approvals, sends
from console.control.approvals import ShownApproval
from console.web.pages import FieldProblem, respond, see
from console.web.project_sends import SendPage, ShownAct, ShownConsent, send_form
from console.web.projects import ProjectRoute, ProjectVisit, base_of, distribution_path, segment_path, send_path
from console.web.send_forms import MOST_BYTES, STAYS, Asked, FormWrong, offered_segments, times, told
from console.web.tables import address
from console.web.visit import whole_number
from console.web.words import as_sentence, count_of, exact, inert, left, number
from schemas.access import Permission, may
from schemas.errors import DefinitionInvalid, TidingsError, TryLater
from schemas.formats.durations import format_duration
from store.send_rows import Progress, SendRow

_FULL = 100.0
_DIGITS = 18
_ACTS: Mapping[str, tuple[Permission, tuple[str, ...]]] = {
    "confirm": ("sends:confirm", ("DRAFT",)),
    "approve": ("sends:approve", ("DRAFT", "TO SEND", "PAUSED")),
    "discard": ("sends:write", ("DRAFT",)),
    "edit": ("sends:write", ("DRAFT", "TO SEND", "PAUSED")),
    "pause": ("sends:operate", ("TO SEND", "SENDING")),
    "resume": ("sends:operate", ("PAUSED",)),
    "stop": ("sends:operate", ("TO SEND", "SENDING", "PAUSED", "DONE")),
}
"""What may be done to a send, by whom, and in which of its states."""
Step = Callable[[ProjectVisit, str, Mapping[str, str]], Awaitable[str]]


async def show_one(mine: ProjectVisit) -> web.Response:
    """One of them. Raises NotFound, TryLater."""
    return await _page(mine)


def step(work: Step) -> Callable[[ProjectVisit], Awaitable[web.Response]]:
    """The answer to a form by which something is done to a send; `work` says where to go on to."""

    async def answer(mine: ProjectVisit) -> web.Response:
        form, send_id = await mine.visit.form(), mine.text("id")
        try:
            return see(await work(mine, send_id, form))
        except TryLater:
            raise
        except TidingsError as error:
            await sends.find(mine.pool, mine.project_id, send_id)  # of what is not there there is no page
            return await _page(mine, [FieldProblem("main", as_sentence(inert(error)))])

    return answer


async def edit(mine: ProjectVisit) -> web.Response:
    """Give it other recipients, another moment or hold. Raises NotFound, TryLater."""
    posted, send_id = await mine.visit.posted(MOST_BYTES), mine.text("id")
    asked = Asked(mine, posted)
    try:
        to, when, hold = asked.recipients(), asked.when(), asked.hold()
        asked.check()
        await sends.edit(
            mine.pool, mine.context, send_id, to=to, when=when, hold=hold, restarts=asked.given["restart"] == "yes",
            actor=mine.actor, now=mine.now, seen=_seen(posted.fields),
        )  # fmt: skip
    except FormWrong as error:
        return await _page(mine, error.problems, asked.given)
    except DefinitionInvalid as error:
        return await _page(mine, told(error), asked.given)
    except TryLater:
        raise
    except TidingsError as error:
        await sends.find(mine.pool, mine.project_id, send_id)
        return await _page(mine, [FieldProblem("main", as_sentence(inert(error)))], asked.given)
    return see(address(send_path(mine.project_id, send_id), {"did": "edit"}))


async def _confirm(mine: ProjectVisit, send_id: str, form: Mapping[str, str]) -> str:
    """Have it sent after its hold; a form that is sent twice finds it so."""
    found = await sends.find(mine.pool, mine.project_id, send_id)
    if found.confirmed_at is None or found.revision != _seen(form):
        await sends.confirm(mine.pool, mine.context, send_id, actor=mine.actor, seen=_seen(form))
    return _back(mine, send_id, "confirm")


async def _approve(mine: ProjectVisit, send_id: str, form: Mapping[str, str]) -> str:
    audience, of = whole_number(form.get("audience", ""), _DIGITS), (mine.pool, mine.context, send_id)
    await approvals.approve(*of, form.get("content", ""), -1 if audience is None else audience, actor=mine.actor)
    return _back(mine, send_id, "approve")


async def _discard(mine: ProjectVisit, send_id: str, form: Mapping[str, str]) -> str:
    await sends.discard(mine.pool, mine.project_id, send_id, actor=mine.actor, seen=_seen(form))
    return f"{base_of(mine.project_id)}/sends?discarded=1"


async def _pause(mine: ProjectVisit, send_id: str, _: Mapping[str, str]) -> str:
    await sends.pause(mine.pool, mine.project_id, send_id, actor=mine.actor)
    return _back(mine, send_id, "pause")


async def _resume(mine: ProjectVisit, send_id: str, _: Mapping[str, str]) -> str:
    await sends.resume(mine.pool, mine.project_id, send_id, actor=mine.actor)
    return _back(mine, send_id, "resume")


async def _stop(mine: ProjectVisit, send_id: str, _: Mapping[str, str]) -> str:
    done = await sends.stop(mine.pool, mine.project_id, send_id, actor=mine.actor)
    return address(send_path(mine.project_id, send_id), {"did": "stop", "canceled": str(done.canceled)})


def _back(mine: ProjectVisit, send_id: str, did: str) -> str:
    return address(send_path(mine.project_id, send_id), {"did": did})


def _seen(form: Mapping[str, str]) -> int:
    """The revision that somebody looked at. Raises TidingsError."""
    found = whole_number(form.get("revision", ""), _DIGITS)
    if found is None:
        raise TidingsError("this form does not say what you looked at: look again, nothing was done")
    return found


# -- how it reads -------------------------------------------------------------------------------------------------


async def _page(
    mine: ProjectVisit, problems: Sequence[FieldProblem] = (), given: Mapping[str, str] | None = None
) -> web.Response:
    send_id = mine.text("id")
    found = await sends.show(mine.pool, mine.project_id, send_id)
    send, approval = found.send, await approvals.look(mine.pool, mine.context, send_id)
    counted = await sends.counted(mine.pool, mine.project_id, send_id) if send.status == "DRAFT" else None
    audience = counted.audience if counted else send.audience
    is_complete = counted.is_complete if counted else send.starts_at is not None or not send.is_open
    page = SendPage(
        title=f"Send of {inert(send.distribution_id)}",
        here=f"{base_of(mine.project_id)}/sends",
        problems=problems,
        path=send_path(mine.project_id, send_id),
        send=send.send_id,
        status=send.status,
        distribution=send.distribution_id,
        distribution_path=distribution_path(mine.project_id, send.distribution_id),
        to=send.to.segment or "",
        to_path=segment_path(mine.project_id, send.to.segment) if send.to.segment and not send.to.own else None,
        audience=audience,
        is_complete=is_complete,
        out=send.emitted,
        width=_FULL * send.emitted / audience if audience else 0.0,
        revision=send.revision,
        moments=list(_moments(mine, send)),
        parts=_parts(found.progress),
        messages_path=address(f"{base_of(mine.project_id)}/messages", {"distribution": send.distribution_id}),
        actions=[ShownAct(one.at, one.action, one.actor, one.detail) for one in found.actions],
        approval=_approval(mine, approval),
        acts=frozenset(_acts(mine, send, approval, has_any=bool(audience) or not is_complete)),
        segments=await offered_segments(mine),
        times=[(STAYS, "as it is"), *times(mine)],
        note=_note(mine, send),
        given=given or {**send_form(), "when": STAYS},
        **mine.frame,
    )
    return respond(page, 422 if problems else 200)


def _acts(mine: ProjectVisit, send: SendRow, approval: ShownApproval | None, *, has_any: bool) -> Iterator[str]:
    for name, (permission, states) in _ACTS.items():
        if send.status not in states or not may(mine.role, permission):
            continue
        if name == "edit" and (send.version is not None or send.backfill is not None):
            continue
        waits = approval is not None and approval.is_needed and not approval.is_given
        if name == "approve" and not (waits and send.version is None):
            continue
        if not (name == "confirm" and (waits or not has_any)):
            yield name


def _approval(mine: ProjectVisit, found: ShownApproval | None) -> ShownConsent | None:
    if found is None:
        return None
    return ShownConsent(
        found.above, found.is_needed, found.is_given, found.content, found.audience, found.approved_by,
        found.approved_at, found.changes, mine.actor in found.not_by,
    )  # fmt: skip


def _moments(mine: ProjectVisit, send: SendRow) -> Iterator[str]:
    """Sentences about when it begins, or began."""
    zone, hold = mine.context.zone, format_duration(int(send.hold.total_seconds()))
    if send.status == "DRAFT":
        after = f"after a hold of {hold} from when it is confirmed" if send.hold else "as soon as it is confirmed"
        if send.when.at is None and send.when.local_time is None:
            yield f"It begins {after}."
        else:
            yield f"It begins {_time(mine, send)}, but not before it was confirmed and a hold of {hold} is over."
    elif send.started_at is not None:
        yield f"It began on {exact(send.started_at, zone)}."
    elif send.starts_at is None and send.is_open:
        yield f"Its segment is being computed: its hold of {hold} begins once that is complete."
    elif send.starts_at is not None and send.is_open:
        until = "it can be edited or stopped" if send.backfill is None else "it can be stopped"
        yield f"It begins in {left(send.starts_at, mine.now)}, on {exact(send.starts_at, zone)}: until then {until}."
    if send.status != "DRAFT" and send.when.local_time:
        yield f"Each customer gets it {_time(mine, send)}."
    if send.is_open and send.waits_for:
        yield as_sentence(f"it waits: {inert(send.waits_for)}")
    if send.gone is not None:
        rest = count_of(max(0, send.audience - send.emitted), "customer")
        yield f"{number(send.gone)} had gone when it was stopped; of {rest} nothing had been begun."
    if send.ended_at is not None:
        yield f"It is over since {exact(send.ended_at, zone)}."


def _time(mine: ProjectVisit, send: SendRow) -> str:
    if send.when.local_time:
        return f"at {send.when.local_time.replace('T', ' ')} by each customer's own clock"
    return f"on {exact(send.when.at, mine.context.zone)}" if send.when.at else "at once"


def _parts(progress: Progress) -> list[tuple[str, str, int]]:
    return [
        ("sent", "Sent", progress.sent),
        ("decided", "Leaving just now", progress.under_way),
        ("waiting", "Waiting for a try", progress.waiting),
        ("held", "Held till a moment", progress.held),
        ("failed", "Failed", progress.failed),
    ]


def _note(mine: ProjectVisit, send: SendRow) -> str:
    """The sentence about what a form did, as far as it is still so."""
    canceled = whole_number(mine.query.get("canceled", ""), _DIGITS)
    match mine.query.get("did"), send.status:
        case "confirm", "TO SEND":
            return "Confirmed. It can be stopped until it begins, and while it is under way."
        case "approve", "DRAFT" | "TO SEND" | "PAUSED":
            return "Approved, as it is now: any edit of it voids that."
        case "edit", "DRAFT":
            return "Edited. It has to be confirmed."
        case "edit", "TO SEND" | "PAUSED":
            return "Edited."
        case "pause", "PAUSED":
            return "Paused: nothing more of it leaves until it is resumed."
        case "resume", "DRAFT" | "TO SEND" | "SENDING":
            return "It goes on where it was."
        case "stop", "STOPPED" if canceled is not None:
            stopped = canceled + max(0, send.audience - send.emitted)
            return f"{number(stopped)} stopped, {number(send.gone or 0)} had already gone."
    return ""


ROUTES: tuple[ProjectRoute, ...] = (
    ProjectRoute("/sends/{id}", "sends:read", show_one, is_live=True),
    ProjectRoute("/sends/{id}/edit", "sends:write", edit, "POST"),
    ProjectRoute("/sends/{id}/confirm", "sends:confirm", step(_confirm), "POST"),
    ProjectRoute("/sends/{id}/approve", "sends:approve", step(_approve), "POST"),
    ProjectRoute("/sends/{id}/discard", "sends:write", step(_discard), "POST"),
    ProjectRoute("/sends/{id}/pause", "sends:operate", step(_pause), "POST"),
    ProjectRoute("/sends/{id}/resume", "sends:operate", step(_resume), "POST"),
    ProjectRoute("/sends/{id}/stop", "sends:operate", step(_stop), "POST"),
)
