-- Lists ask for what is rare among very much: those that one distribution skipped, those that came back, those that were
-- recovered. Without these, such a page read everything else on the way.

-- Decisions of a distribution by their outcome; the reason stands last, so that one that is looked for is told in the index.
-- It takes the place of one without the two, and costs a recorder no more than chance does: of 4 rounds in turn Postgres used
-- 38.5 us a decision, 37.9 with the old one (medians; own 8.1 and 8.3); with one more, of what was not emitted alone, 42.6.
drop index recorded_decisions_of_distribution;
create index recorded_decisions_of_distribution
    on recorded_decisions (distribution_id, project_id, outcome, event_at, reason);
drop index rebuilt_decisions_of_distribution;
create index rebuilt_decisions_of_distribution
    on rebuilt_decisions (distribution_id, project_id, outcome, event_at, reason);

-- Everything that was not simply sent, by what it came to, in the place of what failed alone.
drop index ended_deliveries_failed_in_time;
create index ended_deliveries_not_sent_in_time on ended_deliveries (project_id, state, created_at, reason)
    where state <> 'sent';

-- What providers report that is not the usual: of some deliveries in a thousand.
create index status_events_not_delivered on status_events (project_id, outcome) where outcome <> 'delivered';
