"""Every metric by name, in one list. Prometheus reads them at `/metrics`."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


MOST_NAMED = 100
"""Distributions that a metric names: each is a time series for whoever stores them."""


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._add_processing(registry)
        self._add_attempts(registry)
        self._add_positions(registry)
        self._add_rules(registry)
        self._add_codes(registry)
        self._add_holds(registry)
        self._add_sends(registry)
        self._add_segments(registry)
        self._add_reports(registry)
        self._add_recorded(registry)
        self._add_api(registry)

    def _add_processing(self, registry: CollectorRegistry) -> None:
        self.events = Counter("tidings_events", "Events read, by type.", ["type"], registry=registry)
        self.matches = Counter("tidings_matches", "Distributions whose trigger and guard fitted.", registry=registry)
        self.no_match = Counter("tidings_no_match", "Distributions whose guard did not fit.", registry=registry)
        self.decisions = Counter(
            "tidings_decisions", "Decisions, by outcome and reason.", ["outcome", "reason"], registry=registry
        )
        self.watch_uncounted = Counter(
            "tidings_watch_uncounted",
            "Decisions and fields that silence and surprise are not judged by.",
            registry=registry,
        )
        self.dead_letters = Counter(
            "tidings_dead_letters", "Records dead-lettered, by kind.", ["kind"], registry=registry
        )
        self.batch_seconds = Histogram(
            "tidings_batch_seconds", "Time to process one batch.", ["topic"], buckets=_LATENCY, registry=registry
        )

    def _add_attempts(self, registry: CollectorRegistry) -> None:
        self.deliveries = Counter(
            "tidings_deliveries",
            "Attempts, and what ended without one, by channel and outcome.",
            ["channel", "outcome"],
            registry=registry,
        )
        self.attempt_seconds = Histogram(
            "tidings_attempt_seconds", "Time of one attempt.", ["channel"], buckets=_LATENCY, registry=registry
        )
        self.end_to_end_seconds = Histogram(
            "tidings_event_to_provider_seconds",
            "From the event's arrival in Kafka to the provider's acceptance.",
            ["channel"],
            buckets=_LATENCY,
            registry=registry,
        )
        self.destinations_paused = Gauge(
            "tidings_destinations_paused", "Destinations that wait for somebody to resume them.", registry=registry
        )
        self.destinations_throttled = Gauge(
            "tidings_destinations_throttled", "Destinations that take nothing from this process for now.",
            registry=registry,
        )  # fmt: skip
        self.destinations_failing = Gauge(
            "tidings_destinations_failing", "Destinations that all senders ask by one message at a time.",
            registry=registry,
        )  # fmt: skip
        self.granted = Gauge(
            "tidings_granted_per_second",
            "Messages a second that this process may send to destinations whose limit it shares, by channel.",
            ["channel"],
            registry=registry,
        )
        self.in_flight = Gauge("tidings_deliveries_in_flight", "Attempts under way.", ["channel"], registry=registry)

    def _add_positions(self, registry: CollectorRegistry) -> None:
        self.commit_age = Gauge(
            "tidings_commit_age_seconds",
            "Since a partition with lag last made progress; 0 where there is no lag.",
            ["topic", "partition"],
            registry=registry,
        )
        self.lag = Gauge(
            "tidings_lag", "Records not yet processed and acknowledged.", ["topic", "partition"], registry=registry
        )
        self.assigned = Gauge(
            "tidings_partitions_assigned", "Partitions of a topic that this process has.", ["topic"], registry=registry
        )
        self.rebalances = Gauge(
            "tidings_rebalances", "Times that this process was given its partitions.", registry=registry
        )

    def _add_rules(self, registry: CollectorRegistry) -> None:
        self.rules = Gauge("tidings_rules", "Distributions in the rule table.", registry=registry)
        self.rules_unindexed = Gauge(
            "tidings_rules_unindexed", "Distributions that every event of their type has to try.", registry=registry
        )
        self.rule_unindexed = Gauge(
            "tidings_rule_unindexed",
            f"1 for each of them; the first {MOST_NAMED} by name.",
            ["distribution"],
            registry=registry,
        )
        self.recent_overfull = Counter(
            "tidings_recent_overfull",
            "Sends to customers who had more within the time of a cap than is kept: the oldest are no longer counted.",
            registry=registry,
        )
        self.rules_rejected = Counter(
            "tidings_rules_rejected", "Records of the rule topic that could not be used.", registry=registry
        )
        self.rule_table_age = Gauge(
            "tidings_rule_table_age_seconds", "Since the rule table was last known complete.", registry=registry
        )

    def _add_codes(self, registry: CollectorRegistry) -> None:
        self.publications = Counter(
            "tidings_publications", "Requests for a code, by what came of them.", ["outcome"], registry=registry
        )
        self.codes_left = Gauge(
            "tidings_codes_left", "Codes that a campaign can still give.", ["campaign"], registry=registry
        )
        self.requests_held = Gauge("tidings_requests_held", "Requests that wait for codes.", registry=registry)
        self.distributions_stopped = Counter(
            "tidings_distributions_stopped",
            "Distributions paused because their campaign had no code left.",
            registry=registry,
        )

    def _add_holds(self, registry: CollectorRegistry) -> None:
        self.holds_waiting = Gauge("tidings_holds_waiting", "Sends that wait for a moment.", registry=registry)
        self.holds_released = Counter(
            "tidings_holds_released", "Sends whose moment has come, to be judged again.", registry=registry
        )
        self.digest_events = Histogram(
            "tidings_digest_events", "Events of a digest when it is released.",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000), registry=registry,
        )  # fmt: skip
        self.holds_due_age = Gauge(
            "tidings_holds_due_age_seconds", "How late the first that is due is; 0 where nothing is.", registry=registry
        )

    def _add_sends(self, registry: CollectorRegistry) -> None:
        self.sends_sending = Gauge("tidings_sends_sending", "Manual sends that are under way.", registry=registry)
        self.sends_due = Gauge(
            "tidings_sends_due", "Manual sends that should be worked on this moment and are not.", registry=registry
        )
        self.sends_emitted = Counter(
            "tidings_sends_emitted", "Events of manual sends, one for each member.", registry=registry
        )

    def _add_segments(self, registry: CollectorRegistry) -> None:
        self.segments = Gauge("tidings_segments", "Segments that this process knows.", registry=registry)
        self.segment_changes = Counter(
            "tidings_segment_changes", "Memberships changed, by direction.", ["direction"], registry=registry
        )
        self.segment_unjudged = Gauge(
            "tidings_segment_unjudged",
            f"Customers whom a segment's condition cannot judge; the {MOST_NAMED} segments with most of them.",
            ["segment"],
            registry=registry,
        )
        self.segment_events_unread = Gauge(
            "tidings_segment_events_unread",
            "Records of event topics that segments count and this process has not read; `new`: for the first time.",
            ["behaviours"],
            registry=registry,
        )
        self.segments_due = Gauge(
            "tidings_segments_due",
            "Customers whose segments time may have changed, not yet looked at.",
            registry=registry,
        )
        self.segments_due_age = Gauge(
            "tidings_segments_due_age_seconds",
            "How late the look at the most overdue customer is; 0 where nobody is due.",
            registry=registry,
        )

    def _add_reports(self, registry: CollectorRegistry) -> None:
        self.callbacks = Counter(
            "tidings_callbacks", "Calls of providers, by the status of the answer.", ["status"], registry=registry
        )
        self.reports = Counter(
            "tidings_reports",
            "What providers told of deliveries, by the way it came (callback, mailbox) and what became of it.",
            ["way", "done"],
            registry=registry,
        )
        self.tracked = Counter(
            "tidings_tracked",
            "Opens and clicks by who it was: person, machine, not kept (nobody's any more), lost (Postgres was away).",
            ["kind", "who"],
            registry=registry,
        )

    def _add_recorded(self, registry: CollectorRegistry) -> None:
        self.recorded = Counter(
            "tidings_recorded",
            "Decisions and ends of deliveries that are read: new, known before, or late (their day is kept no longer).",
            ["what", "done"],
            registry=registry,
        )

    def _add_api(self, registry: CollectorRegistry) -> None:
        self.api_requests = Counter(
            "tidings_api_requests", "Requests of the API, by route and status.", ["route", "status"], registry=registry
        )
        self.api_seconds = Histogram(
            "tidings_api_seconds", "Time to answer a request of the API.", ["route"], buckets=_LATENCY,
            registry=registry,
        )  # fmt: skip

    def show_granted(self, rates: Mapping[str, float]) -> None:
        """Those of channels that are not named have ended."""
        self.granted.clear()
        for channel, rate in rates.items():
            self.granted.labels(channel).set(rate)

    def text(self) -> tuple[bytes, str]:
        """The answer of `/metrics`, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST
