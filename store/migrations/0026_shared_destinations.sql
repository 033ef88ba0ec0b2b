-- What senders share of destinations that have a limit, or said that it was too much: each that sends there writes its
-- row once a second. An account of the settings is one for all projects: its row has the project ''.
create table shared_destinations (
    project_id   text        not null,
    channel      text        not null,
    destination  text        not null,
    state        text        not null default '{}', -- as JSON; streams/sending/exchange.py
    closed_until timestamptz,                       -- so that they hear of it who do not send there now
    asked_at     timestamptz not null default now(),
    primary key (project_id, channel, destination)
) with (fillfactor = 50);
