-- The newest calls of each endpoint of webhooks, without secrets: of those that were accepted a few, of the others more.
create table endpoint_calls (
    project_id  text        not null,
    endpoint    text        not null,
    accepted    boolean     not null,
    id          bigint      not null generated always as identity,
    delivery_id text        not null,
    customer_id text        not null, -- whose erasure ends it
    arrived_at  timestamptz not null, -- when its event reached Kafka
    attempt     integer     not null,
    at          timestamptz not null,
    duration_ms integer     not null,
    outcome     text        not null,
    detail      text        not null,
    request     jsonb       not null,
    reply       jsonb,                -- null where none came
    primary key (project_id, endpoint, accepted, id)
);
create index endpoint_calls_by_customer on endpoint_calls (project_id, customer_id);
create index endpoint_calls_by_time on endpoint_calls (at);
