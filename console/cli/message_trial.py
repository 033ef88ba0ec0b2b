"""A distribution's message as a test, as `tidings distributions test` sends it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from console.cli import terminal
from console.cli.context import Session, in_session, load_wiring
from console.cli.preview import of_file, read_profile
from console.cli.terminal import fail, must_exist, show_json, show_text
from console.cli.trying import json_object
from console.control import message_trial
from console.control.events import customer_of
from console.control.files.documents import ENDINGS
from console.control.message_trial import Answered, Trial, Wanted
from console.control.preview import messages
from console.control.preview.messages import Candidate
from console.control.preview.occasion import counting_profile
from schemas.closed import CHANNELS, ChannelName
from schemas.errors import BadQuestion, TidingsError
from schemas.record import JsonObject
from streams.upstream import unwrapped
from streams.values.wording import unknown


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of the command."""

    what: str
    to: str | None
    channel: str | None
    event: Path | None
    customer: Path | None
    arm: str | None


def run(asked: Asked, *, dry_run: bool, as_json: bool) -> None:
    """Send it, and show what came of it."""
    must_exist([file for file in (asked.event, asked.customer) if file])
    channel, project_id = _channel(asked.channel), load_wiring("postgres").project
    event = None if asked.event is None else unwrapped(json_object(asked.event), (), project_id)
    profile = None if asked.customer is None else read_profile(asked.customer, project_id)
    if event is not None and profile is not None and profile["id"] != customer_of(event):
        raise TidingsError(f"{asked.event} is about customer {customer_of(event)}, {asked.customer} is {profile['id']}")
    is_file = Path(asked.what).suffix in ENDINGS
    written = _one(of_file(Path(asked.what), None)[1]) if is_file else None

    async def work(opened: Session) -> tuple[Trial, Answered]:
        candidate = written or await messages.from_store(opened.pool, opened.project_id, asked.what)
        candidate = candidate.in_arm(asked.arm) if asked.arm else candidate
        counts = await counting_profile(opened.pool, opened.project_id, event, profile)
        settings, wanted = opened.wiring.settings, Wanted(event, counts, channel, asked.to)
        trial = message_trial.trial_of(candidate, wanted, opened.project_id, settings.zone, opened.now)
        who = {"actor": opened.actor, "now": opened.now}
        return trial, await message_trial.send(opened.pool, settings, trial, dry_run=dry_run, **who)  # type: ignore[arg-type]

    trial, answered = in_session(work)
    show_json(_as_json(trial, answered)) if as_json else _show(trial, answered)
    if answered.outcome not in ("accepted", None):
        sys.exit(terminal.PROBLEM)


def _channel(named: str | None) -> ChannelName | None:
    found = next((one for one in CHANNELS if one == named), None)
    if named is not None and found is None:
        raise BadQuestion(unknown(named, CHANNELS), "channel")
    return found


def _one(candidates: list[Candidate]) -> Candidate:
    if len(candidates) != 1:
        raise TidingsError(f"it describes {len(candidates)} distributions; one is tested at a time")
    return candidates[0]


def _as_json(trial: Trial, answered: Answered) -> JsonObject:
    one = trial.delivery
    return {
        "distribution": one.distribution.id,
        "version": trial.version,
        "channel": one.channel,
        "account": one.account,
        "test_id": one.delivery_id,
        "outcome": answered.outcome,
        "detail": answered.detail,
        "provider_id": answered.provider_id,
    }


def _show(trial: Trial, answered: Answered) -> None:
    one = trial.delivery
    through = f"{one.channel}/{one.account}"
    if answered.outcome is None:
        show_text(f"would send {one.distribution.id} v{trial.version} as a test through {escape(through)}")
    elif answered.outcome == "accepted":
        show_text(f"[bold]accepted[/bold] by {escape(through)} as {one.delivery_id}: {escape(answered.detail)}")
    else:
        fail(f"{answered.outcome} by {through}: {answered.detail}")
