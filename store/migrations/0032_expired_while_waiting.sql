-- What waits and stops being valid is found without reading what waits: nothing that is sent at once stands here.
create index open_deliveries_expiring on open_deliveries (expires_at)
    where state = 'waiting' and lease_owner is null and expires_at is not null;
