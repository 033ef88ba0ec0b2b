-- Distributions take turns in a lane of a destination: what one has waiting is found without reading what another has.
-- The new index first: where it cannot be made, the old one still is.
create index open_deliveries_free_by_distribution
    on open_deliveries (project_id, channel, destination, lane, distribution_id, due_at, delivery_id)
    where state = 'waiting' and lease_owner is null;
drop index open_deliveries_free;
alter index open_deliveries_free_by_distribution rename to open_deliveries_free;
