-- Keys of the API, attempts with keys that are none, and replies that are given again to the same request.
create table api_keys (
    key_hash     bytea       primary key, -- SHA-256 of 256 random bits: of the deployment
    project_id   text        not null,
    key_id       text        not null, -- as people name it: made of the hash
    name         text        not null,
    kind         text        not null, -- live or test
    role         text        not null,
    created_by   text        not null,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz,          -- null: not by itself
    last_used_at timestamptz,          -- to the minute
    revoked_by   text,
    revoked_at   timestamptz,
    unique (project_id, key_id)
);
-- one at a time has a name; who had it before stays, revoked
create unique index api_keys_name on api_keys (project_id, name) where revoked_at is null;

create table api_failures (
    address  text        not null, -- of the network that they come from
    slot     timestamptz not null, -- its begin
    failures integer     not null,
    primary key (address, slot)
);
create index api_failures_old on api_failures (slot);

create table api_replies (
    project_id      text        not null,
    key_id          text        not null,
    idempotency_key text        not null,
    request_hash    bytea       not null, -- method, path, query and body
    begun_at        timestamptz not null default now(),
    status          integer,              -- null while it is under way
    headers         text,                 -- JSON
    body            bytea,
    primary key (project_id, key_id, idempotency_key)
);
create index api_replies_old on api_replies (begun_at);
