-- Read models that somebody asks to have made anew: one at a time, by whoever has a lease on it. Whoever takes it up after
-- a crash begins from nothing, but for the days that are in their place.
create table read_model_rebuilds (
    rebuild_id  text        primary key,
    state       text        not null default 'waiting'
                check (state in ('waiting', 'reading', 'replacing', 'done', 'failed', 'canceled')),
    tries       integer     not null default 0,
    read        bigint      not null default 0, -- records, by this try
    to_read     bigint      not null default 0, -- that were on the topics when it began
    unreadable  bigint      not null default 0,
    replaced    text        not null default '[]',
    kept        text        not null default '[]',
    waits       text        not null default '', -- the reason, while it does
    why         text        not null default '', -- it failed
    cancel_by   text,
    created_by  text        not null,
    created_at  timestamptz not null default now(),
    started_at  timestamptz,
    ended_at    timestamptz,
    lease_owner text,
    lease_until timestamptz
);
create unique index read_model_rebuilds_open on read_model_rebuilds ((ended_at is null)) where ended_at is null;
