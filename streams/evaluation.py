"""One distribution and one event that it fits: the audience checks, and the messages that come of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

import msgspec

from schemas.channels.tables import ChannelPlan
from schemas.decision import Check, Decision
from schemas.distribution import Digest, Publish
from schemas.hold import Follows, Gathering, Hold
from schemas.publication_request import Draft, PublicationRequest
from schemas.record import JsonObject
from streams.channel_order import gives_way, sent_since, still_to_try, until_one_sends
from streams.checks.check import Due, Message, Subject, first_objection
from streams.checks.reentry import asked_before
from streams.conditions.answer import Answer, Failure
from streams.delay import follows_at, waited_for, zone_of_customer
from streams.digest import in_words, window_end
from streams.evaluated import Evaluated
from streams.event_context import objects_of
from streams.experiment import draw
from streams.identity import digest_id, hold_id, hold_id_of_fallback, hold_id_of_step, key_at, publication_id
from streams.outcome import Judged, Matched, came_far_enough, canceled, ended_meanwhile, last_of, paused, place
from streams.recent import sent
from streams.selection import no_longer_reacts
from streams.verdict import Defer, Skip
from streams.waiting import Ending, ending, opened

_OF_ENDING = -1
"""In the place of a round in the id of a decision about an event that could not end what waits."""


class Evaluation(Evaluated):
    """One rule and one event that it fits, judged; `checks` are those that were made."""

    def decide(self, outcome: Matched) -> None:
        """Make the audience checks and add what comes of them."""
        self.checks = self._guard.explain(self._context, self._now)[1]
        self._draw = draw(self._rule, self._context, self._now)
        subject = Subject(self._distribution, self._event, self._profile)
        objection = first_objection(self._audience.of_distribution, subject, self.checks.append)
        occurrence = objection if isinstance(objection, Skip) else self._occurrence()
        if isinstance(occurrence, Failure):
            outcome.decisions.append(self.failed(occurrence))
        elif isinstance(occurrence, Skip):
            outcome.decisions.append(self._decision(occurrence))
        elif self._distribution.digest and objection is None:
            self._gather(self._distribution.digest, occurrence, outcome)
        elif until := objection or self._delayed():
            self._wait(until, occurrence, outcome)
        else:
            self._go_on(occurrence, outcome)

    def decide_addressed(self, outcome: Matched) -> None:
        """Judge an event that is for this distribution alone: whatever is in its way, it gets a decision.

        Where it belongs to a send, a pause holds it: the send will not make it again.
        """
        objection, answer = no_longer_reacts(self._distribution, self._event), self._guard.run(self._context, self._now)
        if objection is not None:
            outcome.decisions.append(self._decision(objection))
        elif isinstance(answer, Failure):
            outcome.decisions.append(self.failed(answer))
        elif answer is False:
            outcome.no_match += 1
            outcome.decisions.append(self.unfit(self._guard.explain(self._context, self._now)[1]))
        elif self._distribution.status == "PAUSED" and self._event_ref.send_id is not None:
            occurrence = self._occurrence()
            self._wait(occurrence if isinstance(occurrence, Failure) else paused(self._now), str(occurrence), outcome)
        else:
            outcome.matched = 1
            self.decide(outcome)

    def end(self, answer: Answer, outcome: Matched) -> None:
        """Note an event that ends what waits, where it says what both have to share."""
        rule, event = self._distribution, self._event
        key = self._shared()
        if answer is not True:
            key = answer if isinstance(answer, Failure) else Failure("")
        if isinstance(key, Failure):
            self._round = _OF_ENDING
            outcome.decisions.append(self._decision(Skip("rule_error", f"unless: {key.reason}")))
        else:
            outcome.waiting.endings.append(ending(event.project_id, rule.id, key, event.created_at, event.id))

    def decide_due(self, hold: Hold, ended: Ending | None, outcome: Matched) -> None:
        """Make all checks again, and add what comes of them."""
        verdict = canceled(hold) or self._not_needed(hold) or self._may_go_on(ended)
        if isinstance(verdict, Defer):
            self._hold_again(hold, verdict, outcome)
            return
        answer: Answer = True
        if verdict is None:
            answer, self.checks = self._guard.explain(self._context, self._now)
        if isinstance(answer, Failure):
            outcome.decisions.append(self.failed(answer))
        elif answer is False:
            outcome.decisions.append(self.unfit(self.checks))
        else:
            subject = Due(self._distribution, self._event, self._profile, hold.due_at)
            objection = verdict or first_objection(self._audience.of_distribution, subject, self.checks.append)
            if isinstance(objection, Defer):
                self._hold_again(hold, objection, outcome)
            elif objection:
                outcome.decisions.append(self._decision(objection))
            else:
                outcome.matched = 1
                self._go_on(hold.occurrence, outcome)

    def _not_needed(self, hold: Hold) -> Skip | None:
        """An objection to what follows a message that came far enough. What has followed already is sent so again."""
        sent = hold.follows and sent_since(self._instead(hold.occurrence), self._recent(), self._event.id, hold)
        return None if sent else came_far_enough(hold)

    def _may_go_on(self, ended: Ending | None) -> Skip | Defer | None:
        """An objection of the distribution as it is now to what has waited."""
        rule = self._distribution
        if ended is not None and rule.unless is not None:
            return ended_meanwhile(rule.unless, ended)
        if rule.status == "PAUSED":
            return paused(self._now)
        if rule.status == "ENDED":
            return Skip("ended", "the distribution ended while this waited")
        if objection := no_longer_reacts(rule, self._event):
            return objection
        if self._held and self._held.step is not None and (rule.publish or not self._steps()):
            return Skip("stopped", "the distribution no longer sends the message that waited")
        if self._held and self._held.follows and not (rule.sends_once and rule.fallback_after):
            return Skip("stopped", "the distribution no longer falls back to another channel")
        return None

    def _go_on(self, occurrence: str, outcome: Matched) -> None:
        """Judge its messages, and add what comes of them. Each counts for those after it."""
        self._others = outcome.sent
        messages = [self._message(step, plan, occurrence) for step, plan in self._steps()]
        judged = list(self._in_turn(messages) if self._distribution.sends_once else map(self._counted, messages))
        if not judged:
            outcome.decisions.append(self._decision(Skip("duplicate", "sent already over another channel")))
        elif self._distribution.publish:
            self._ask_for_code(self._distribution.publish, judged, occurrence, outcome)
        else:
            self._send(judged, occurrence, outcome)

    def _in_turn(self, messages: Sequence[Message]) -> Iterator[Judged]:
        """Judge those of which one is sent. Those passed over before are judged for what is shown of them alone."""
        left = still_to_try(messages, self._recent(), self._held)
        before = (self._judged(one) for one in messages if left and one.step < left[0].step)
        passed_over = (one for one in before if gives_way(one.objection))
        return until_one_sends(chain(passed_over, map(self._counted, left)))

    def _steps(self) -> list[tuple[int, ChannelPlan]]:
        """The channels with their places; where one of them has waited, only that one, if it is still there.

        Where only one sends, those after it may take its place.
        """
        steps, held = list(enumerate(self._plans)), self._held
        if held is None or held.step is None:
            return steps
        left = steps[held.step :]
        if not left or left[0][1].channel != held.channel:
            return []
        return left if self._distribution.sends_once else left[:1]

    def _delayed(self) -> Defer | Skip | Failure | None:
        delay = self._draw.arm.delay if self._draw.arm else self._distribution.delay
        return waited_for(delay, self._event, self._facts, self._zone, self._now)

    def _wait(self, until: Defer | Skip | Failure, occurrence: str, outcome: Matched) -> None:
        """Hold the whole send; where another event has asked for the same one already, that is what waits."""
        event, rule = self._event, self._distribution
        identity = hold_id(event.project_id, rule.id, occurrence, event.customer_id)
        if isinstance(until, Failure):
            outcome.decisions.append(self.failed(until))
        elif repeated := asked_before(self._recent(), identity, event.id):
            outcome.decisions.append(self._decision(repeated))
        elif isinstance(until, Skip):
            outcome.decisions.append(self._decision(until))
        else:
            self._hold(identity, occurrence, until, outcome)

    def _gather(self, digest: Digest, occurrence: str, outcome: Matched) -> None:
        """Have the event join a digest; which one, and until when, says who holds it."""
        event, rule = self._event, self._distribution
        value = key_at(digest.by, self._facts, "digest by") if digest.by else ""
        if isinstance(value, Failure):
            outcome.decisions.append(self.failed(value))
            return
        zone = zone_of_customer(self._profile, self._zone)
        until = window_end(digest, event.created_at, zone)
        late = window_end(digest, until, zone)
        name = digest_id(event.project_id, rule.id, event.customer_id, f"{type(value).__name__} {value}")
        identity = hold_id(event.project_id, rule.id, occurrence, event.customer_id)
        waits = self._waits(identity, occurrence, Defer("digest", until, in_words(digest)))
        gathers = Gathering(digest_id=name, first=digest.first, late_until=late)
        outcome.holds.append(replace(waits, gathers=gathers))
        outcome.decisions.append(self._decision(waits.until))
        if rule.unless:
            at = event.created_at, until
            key = self._shared()
            outcome.waiting.opened.append(opened(name, event.project_id, rule.id, key, *at, gathers=True))

    def _hold_again(self, hold: Hold, until: Defer, outcome: Matched) -> None:
        """Hold on what has waited, as it was held: the whole send or one of its messages."""
        waits = self._waits(hold.hold_id, hold.occurrence, until)
        outcome.holds.append(replace(waits, channel=hold.channel, step=hold.step))
        outcome.decisions.append(self._decision(until))

    def _hold(self, identity: str, occurrence: str, until: Defer, outcome: Matched) -> None:
        """Hold the whole send."""
        outcome.holds.append(self._waits(identity, occurrence, until))
        outcome.decisions.append(self._decision(until))
        self._note(identity, until, outcome)

    def _hold_step(self, judged: Judged, until: Defer, occurrence: str, outcome: Matched) -> None:
        """Hold one message, while the others go their way."""
        message = judged.message
        waits = self._waits(hold_id_of_step(message.delivery_id), occurrence, until)
        waits = replace(waits, channel=message.plan.channel, step=message.step, round=self._round_of(message))
        outcome.holds.append(waits)
        outcome.decisions.append(self._decision(until, message, judged.recorded))
        self._note(waits.hold_id, until, outcome)

    def _note(self, identity: str, until: Defer, outcome: Matched) -> None:
        """Note what begins to wait: for other events that ask for the same send, and for those that end it."""
        event, rule = self._event, self._distribution
        if self._held and self._held.hold_id == identity:
            return
        self._open(identity, until, outcome)
        lasts = rule.again.mode != "every_event"
        outcome.sent.append(sent(identity, event.id, event.created_at, lasts=lasts))
        outcome.counts |= lasts or rule.sends_once

    def _open(self, identity: str, until: Defer, outcome: Matched) -> None:
        """Note what begins to wait for those events that end it."""
        event, rule = self._event, self._distribution
        key = self._shared() if rule.unless else None
        if rule.unless and not isinstance(key, Failure):
            at = event.created_at, until.until
            outcome.waiting.opened.append(opened(identity, event.project_id, rule.id, key, *at))

    def failed(self, failure: Answer) -> Decision:
        """The guard could not be judged."""
        reason = failure.reason if isinstance(failure, Failure) else ""
        return self._decision(Skip("rule_error", reason))

    def unfit(self, checks: list[Check]) -> Decision:
        """The guard does not fit."""
        self.checks = checks
        failed = next((check.test for check in checks if check.passed is False), "")
        return self._decision(Skip("no_match", failed))

    def _ask_for_code(self, publish: Publish, judged: Sequence[Judged], occurrence: str, outcome: Matched) -> None:
        """One request for all messages that may be sent. Where one has to wait, all do: they share a code."""
        rule, event = self._distribution, self._event
        if waits := last_of(judged):
            until, recorded = waits
            self.checks = [*self.checks, *recorded]
            if self._held:
                self._hold_again(self._held, until, outcome)
            else:
                self._wait(until, occurrence, outcome)
            return
        drafts = []
        for message, objection, recorded in judged:
            decision = self._decision(objection, message, recorded)
            if decision.outcome != "emitted":
                outcome.decisions.append(decision)
                continue
            delivery: JsonObject = msgspec.to_builtins(self._delivery(message, {}))
            del delivery["data"]
            drafts.append(Draft(delivery=delivery, decision=decision))
            self._take_place(message, outcome, lasts=False)
        if drafts:
            request = PublicationRequest(
                publication_id=publication_id(event.project_id, rule.id, occurrence, event.customer_id),
                project_id=event.project_id,
                campaign=publish.campaign,
                when_empty=publish.when_empty,
                distribution=self._ref,
                event=self._event_ref,
                customer_id=event.customer_id,
                expires_at=self._expires_at(),
                data=objects_of(self._facts, event.type),
                drafts=drafts,
            )
            outcome.requests.append(request)

    def _send(self, judged: Sequence[Judged], occurrence: str, outcome: Matched) -> None:
        lasts = self._distribution.again.mode != "every_event"
        for one in judged:
            message, objection, recorded = one
            if isinstance(objection, Defer):
                self._hold_step(one, objection, occurrence, outcome)
                continue
            outcome.decisions.append(self._decision(objection, message, recorded))
            if objection is None:
                outcome.deliveries.append(self._delivery(message, self._data()))
                self._take_place(message, outcome, lasts=lasts)
                self._fall_back(message, occurrence, outcome)

    def _fall_back(self, message: Message, occurrence: str, outcome: Matched) -> None:
        """Have the next channel wait for how far a message comes, where there is one."""
        fallback, step = self._distribution.fallback_after, message.step + 1
        if fallback is None or not self._distribution.sends_once or step >= len(self._plans):
            return
        following = self._message(step, self._plans[step], occurrence)
        until = follows_at(fallback, message.plan.channel, self._now)
        if late := self._too_late(until):
            outcome.decisions.append(self._decision(late, following))
            return
        earlier = self._held.follows.deliveries if self._held and self._held.follows else []
        follows = Follows(deliveries=[*earlier, message.delivery_id], unless=fallback.unless)
        waits = self._waits(hold_id_of_fallback(message.delivery_id), occurrence, until)
        at = following.plan.channel, step, self._round_of(following)
        waits = replace(waits, channel=at[0], step=at[1], round=at[2], follows=follows)
        outcome.holds.append(waits)
        outcome.decisions.append(self._decision(until, following))
        self._open(waits.hold_id, until, outcome)

    def _take_place(self, message: Message, outcome: Matched, *, lasts: bool) -> None:
        """Count a message that leaves; what limits others has to be kept before it does."""
        outcome.sent.append(place(message, lasts=lasts))
        outcome.counts |= lasts or bool(self._distribution.caps) or self._distribution.sends_once

    def _too_late(self, until: Defer) -> Skip | None:
        """An objection to waiting for so long that it is not worth sending then."""
        ends = self._expires_at()
        if ends is None or ends > until.until:
            return None
        return Skip("expired", f"ends {ends.isoformat()}, before it is sent: {until.detail}")

    def _judged(self, message: Message) -> Judged:
        """The answer of the checks. A message that would be no longer worth sending then does not wait."""
        recorded: list[Check] = []
        objection = first_objection(self._audience.of_message, message, recorded.append)
        if isinstance(objection, Defer):
            objection = self._too_late(objection) or objection
        return Judged(message, objection, recorded)

    def _counted(self, message: Message) -> Judged:
        """The same of a message that goes where nothing objects: it counts for those after it."""
        judged = self._judged(message)
        if judged.objection is None and self._distribution.caps:
            self._taken.append(place(message))
        return judged
