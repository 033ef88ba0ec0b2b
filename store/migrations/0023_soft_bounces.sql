-- Addresses whose servers said "not now" because of the mailbox, with nothing taken since.
create table soft_bounces (
    project_id text        not null,
    key_hash   uuid        not null, -- of the address, as in suppressions
    channel    text        not null,
    bounces    integer     not null,
    first_at   timestamptz not null,
    last_at    timestamptz not null,
    primary key (project_id, key_hash, channel)
);
