-- Whether a provider may have taken it without saying so: whoever sends it again is told.
create or replace view deliveries as
select delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id, channel, destination,
       lane, priority, expires_at, record, arrived_at, state, due_at, lease_owner, lease_until, attempts, reason, detail,
       provider_id, created_at, settled_at, false as announced, erased, tries, actions, through, possibly_accepted
from open_deliveries
union all
select delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id, channel, destination,
       null, priority, expires_at, record, arrived_at, state, due_at, null, null, attempts, reason, detail,
       provider_id, created_at, settled_at, true, erased, tries, actions, through, possibly_accepted
from ended_deliveries;
