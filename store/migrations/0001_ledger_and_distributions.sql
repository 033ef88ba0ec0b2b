-- The outbound queue and its audit: one row a delivery, one row an attempt.
create table deliveries (
    delivery_id          text primary key,
    project_id           text        not null,
    distribution_id      text        not null,
    distribution_version bigint      not null,
    event_id             text        not null,
    customer_id          text        not null,
    channel              text        not null,
    destination          text        not null, -- account, or the endpoint's host
    priority             integer     not null,
    expires_at           timestamptz,
    record               bytea       not null, -- the delivery, Avro single-object
    arrived_at           timestamptz not null, -- when its event reached Kafka
    state                text        not null check (state in ('waiting', 'sent', 'recovered', 'failed')),
    due_at               timestamptz not null,
    lease_owner          text,
    lease_until          timestamptz,
    attempts             integer     not null default 0,
    reason               text,
    detail               text        not null default '',
    provider_id          text,
    created_at           timestamptz not null,
    settled_at           timestamptz,
    announced            boolean     not null default false
) with (fillfactor = 80);

-- What can be claimed, in the order in which it is due.
create index deliveries_waiting on deliveries (due_at) where state = 'waiting';
-- Outcomes that delivery.status has not been told yet.
create index deliveries_unannounced on deliveries (settled_at) where state <> 'waiting' and not announced;
create index deliveries_by_customer on deliveries (customer_id, created_at);

create table attempts (
    delivery_id text        not null,
    number      integer     not null,
    at          timestamptz not null,
    duration_ms integer     not null,
    outcome     text        not null,
    detail      text        not null,
    primary key (delivery_id, number)
);

-- Endpoints that are not to be called, with the reason; the other channels go on.
create table paused_destinations (
    channel     text        not null,
    destination text        not null,
    reason      text        not null,
    paused_at   timestamptz not null,
    primary key (channel, destination)
);

-- Every version of every distribution, as it was applied.
create table distribution_versions (
    distribution_id text        not null,
    version         bigint      not null,
    project_id      text        not null,
    definition      jsonb       not null,
    source          text        not null,
    applied_by      text        not null,
    applied_at      timestamptz not null,
    primary key (distribution_id, version)
);

-- Templates by content: the same digest is always the same text.
create table templates (
    digest     text        primary key,
    name       text        not null,
    body       jsonb       not null,
    created_at timestamptz not null
);

-- What has to reach Kafka, written in the transaction that decided it.
create table outbox (
    id         bigint generated always as identity primary key,
    topic      text        not null,
    key        text        not null,
    payload    jsonb, -- null is a tombstone
    created_at timestamptz not null
);
