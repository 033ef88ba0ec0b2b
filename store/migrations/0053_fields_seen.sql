-- Which kinds of values the fields have that distributions use, in samples of events by their time: whoever looks for
-- fields that are gone or changed reads it.
create table fields_seen (
    project_id text        not null,
    subject    text        not null, -- the events: a type, and what of it a trigger names
    path       text        not null,
    slot       timestamptz not null, -- its begin
    is_hour    boolean     not null, -- an hour of the past; else a quarter of one
    kind       text        not null, -- text, number, boolean, list, object, any; empty: missing or blank
    events     bigint      not null,
    example    text        not null, -- topic-partition@offset of one of them
    primary key (project_id, subject, path, slot, is_hour, kind)
);
create index fields_seen_old on fields_seen (slot);
