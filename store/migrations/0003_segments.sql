-- Segments that are defined here, each with how far its computation over all customers is.
create table segments (
    segment_id       text        primary key,
    serial           bigint generated always as identity, -- tells a segment from a deleted one of the same id
    project_id       text        not null,
    version          bigint      not null,
    definition       jsonb       not null,
    source           text        not null,
    applied_by       text        not null,
    created_at       timestamptz not null,
    applied_at       timestamptz not null,
    computed_version bigint      not null default 0, -- 0: never computed, so nobody has entered it yet
    computed_to      text        not null default '' collate "C", -- the last customer done of the current computation
    computed         bigint      not null default 0
);

-- Profiles, for when time passes or a definition changes; and the row that is locked by who works on a customer.
create table segment_customers (
    customer_id text        primary key collate "C",
    partition   integer     not null,
    epoch       bigint      not null, -- when the profile first came, Unix ms: tells a customer who was erased and is back
    profile     bytea       not null, -- JSON; as bytes, since text of upstream may hold what jsonb refuses
    due_at      timestamptz -- when time alone may change a membership
) with (fillfactor = 80);

create index segment_customers_due on segment_customers (due_at) where due_at is not null;

-- Who is in a segment, or was.
create table segment_memberships (
    customer_id text        not null collate "C",
    segment_id  text        not null references segments on delete cascade,
    is_member   boolean     not null,
    number      bigint      not null, -- counts the changes; part of their events' ids
    since       timestamptz not null,
    primary key (customer_id, segment_id)
) with (fillfactor = 80);

create index segment_members on segment_memberships (segment_id, customer_id) include (since) where is_member;

-- How far profiles are in: what is delivered again, after a crash, is known here.
create table segment_positions (
    topic       text    not null,
    partition   integer not null,
    next_offset bigint  not null,
    stamp       bigint  not null, -- the latest record's, Unix ms: a topic that was made anew is newer
    primary key (topic, partition)
);
