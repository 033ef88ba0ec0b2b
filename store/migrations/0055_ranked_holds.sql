-- What waits by priority: of those that are due for a customer the highest is released first, by one holder at a time.
alter table holds
    add column priority integer, -- null where it does not count
    add column step integer;     -- the place of its channel: the tie of messages of one event
create index holds_ranked on holds (until_at) where ended_at is null and priority is not null;
create index holds_ranked_of on holds (project_id, customer_id) where ended_at is null and priority is not null;
