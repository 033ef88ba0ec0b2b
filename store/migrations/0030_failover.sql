-- What of a delivery says which account it may go through, and which it went through; null where its own.
alter table open_deliveries add column possibly_accepted boolean not null default false, add column through text;
alter table ended_deliveries add column possibly_accepted boolean not null default false, add column through text;

create or replace view deliveries as
select delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id, channel, destination,
       lane, priority, expires_at, record, arrived_at, state, due_at, lease_owner, lease_until, attempts, reason, detail,
       provider_id, created_at, settled_at, false as announced, erased, tries, actions, through
from open_deliveries
union all
select delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id, channel, destination,
       null, priority, expires_at, record, arrived_at, state, due_at, null, null, attempts, reason, detail,
       provider_id, created_at, settled_at, true, erased, tries, actions, through
from ended_deliveries;

-- Where a destination is paused for what it answered, another account may have its place.
alter table paused_destinations add column by_answer boolean not null default false;
