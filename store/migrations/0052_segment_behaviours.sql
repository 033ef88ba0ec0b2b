-- What segments count of customers' events: a behaviour is a type of events, a condition on them and a window.
create table segment_behaviours (
    project_id text        not null,
    key        text        not null, -- the same for behaviours that are the same
    topic      text        not null, -- without prefix
    created_at timestamptz not null,
    is_ready   boolean     not null, -- everything that the topic held at the beginning is in
    primary key (project_id, key)
);

-- How far the events of a behaviour are in. Each has its own positions: a new one is read from the topic's beginning.
create table segment_behaviour_positions (
    project_id  text    not null,
    key         text    not null,
    topic       text    not null,
    partition   integer not null,
    next_offset bigint  not null,
    goal        bigint  not null, -- the end of the partition when the behaviour was new
    stamp       bigint  not null, -- the latest record's, Unix ms: a topic that was made anew is newer
    since       timestamptz,      -- from when on events are known; null: nothing was taken away before
    is_cut      boolean not null, -- records before the next one are gone, and `since` has still to be found
    primary key (project_id, key, partition),
    foreign key (project_id, key) references segment_behaviours on delete cascade
);

create index segment_behaviour_positions_of on segment_behaviour_positions (topic, partition);

-- What each customer did: bounded, whatever a customer does (streams/conditions/behaviour.py).
create table segment_records (
    project_id  text  not null,
    customer_id text  not null collate "C",
    key         text  not null,
    record      bytea not null,
    primary key (project_id, customer_id, key),
    foreign key (project_id, key) references segment_behaviours on delete cascade
) with (fillfactor = 80);

-- For a behaviour that nobody asks for any more.
create index segment_records_of on segment_records (project_id, key);
