-- Sends that wait for a moment. What is over stays for a while without its record: an event that is read again makes the
-- same hold again, and must not be released twice.
create table holds (
    project_id      text        not null,
    hold_id         text        not null,
    round           integer     not null, -- what is held again has the next
    distribution_id text        not null,
    customer_id     text        not null,
    reason          text        not null,
    until_at        timestamptz not null, -- not released before; infinity where its distribution is paused
    arrived_at      timestamptz not null, -- when its event reached Kafka
    record          bytea,                -- what goes onto events.due, as it came from holds; null once over
    held_at         timestamptz not null,
    ended_at        timestamptz,
    primary key (project_id, hold_id, round)
);
create index holds_due on holds (until_at) where ended_at is null;
create index holds_of_customers on holds (project_id, customer_id) where ended_at is null;
create index holds_paused on holds (project_id, distribution_id) where ended_at is null and reason = 'paused';
create index holds_over on holds (ended_at) where ended_at is not null;
