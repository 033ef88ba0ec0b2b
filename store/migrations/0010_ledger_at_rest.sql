-- What waits without a lease, by destination: so that what is not to be called now costs nothing, however much waits for
-- it. A delivery with a lease is not in it, nor is its end.
create index deliveries_free on deliveries (channel, destination, due_at) where state = 'waiting' and lease_owner is null;
-- Leases, to find those of senders that are gone.
create index deliveries_leased on deliveries (lease_until) where state = 'waiting' and lease_owner is not null;
drop index deliveries_waiting;
