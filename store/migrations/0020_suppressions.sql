-- What nothing is sent to: addresses, domains and wildcards of a project.
create table suppressions (
    project_id text        not null,
    key_hash   uuid        not null, -- the first 16 bytes of the key's SHA-256: what deliveries are compared by
    channel    text        not null, -- empty: every one
    key        text        not null, -- ann@shop.example, shop.example, *.shop.example
    reason     text        not null,
    source     text        not null,
    expires_at timestamptz,
    added_at   timestamptz not null,
    added_by   text        not null,
    primary key (project_id, key_hash, channel)
);
-- To read the list in order, a part at a time.
create index suppressions_by_key on suppressions (project_id, key, channel);
