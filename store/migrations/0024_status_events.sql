-- What providers told of deliveries after they took them; each end is told once. Ids alone, nothing of a customer.
create table status_events (
    project_id  text        not null,
    delivery_id text        not null,
    outcome     text        not null, -- delivered, bounced, complained
    recorded_at timestamptz not null,
    primary key (project_id, delivery_id, outcome)
);
create index status_events_by_time on status_events (recorded_at);
