-- What senders share of destinations that fail: each that hears of one writes its row, at most once a second.
create table breakers (
    project_id  text  not null,
    channel     text  not null,
    destination text  not null,
    state       jsonb not null default '{}', -- streams/sending/breaker.py; times in seconds since 1970
    why         text  not null default '',   -- the last failure
    primary key (project_id, channel, destination)
) with (fillfactor = 50);
