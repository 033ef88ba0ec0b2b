-- What was decided, and what became of deliveries, as the topics tell it: written by recorders, for reading alone. A row is
-- found again by its day and its id, so the day is its event's, of a release that at which it was due, and not that of the
-- decision: a replay meets its own row. There is no default partition, since one that holds rows would keep days from being
-- made; what is dated further ahead than days are made stands under the day infinity.
create table recorded_decisions (
    day                  date        not null,
    project_id           text        not null,
    decision_id          text        not null,
    distribution_id      text        not null,
    distribution_version bigint      not null,
    distribution_name    text        not null,
    event_id             text        not null,
    event_type           text        not null,
    event_at             timestamptz not null,
    send_id              text,
    customer_id          text        not null,
    outcome              text        not null,
    reason               text,
    detail               text,
    arm                  text,
    channel              text,
    delivery_id          text,
    until_at             timestamptz,
    due_at               timestamptz,
    checks               text        not null, -- JSON, as it is given back
    decided_at           timestamptz not null,
    recorded_at          timestamptz not null, -- when the row came to be; never changes
    primary key (day, project_id, decision_id)
) partition by range (day);
create index recorded_decisions_of_customer on recorded_decisions (project_id, customer_id, event_at);
create index recorded_decisions_of_distribution on recorded_decisions (project_id, distribution_id, event_at);
create index recorded_decisions_of_event on recorded_decisions (project_id, event_id);

create table recorded_statuses (
    day                  date        not null,
    project_id           text        not null,
    delivery_id          text        not null,
    outcome              text        not null,
    occurred_at          timestamptz not null,
    distribution_id      text        not null,
    distribution_version bigint      not null,
    distribution_name    text        not null,
    event_id             text        not null,
    event_type           text        not null,
    event_at             timestamptz not null,
    send_id              text,
    customer_id          text        not null,
    channel              text        not null,
    account              text        not null,
    type                 text        not null,
    reason               text,
    detail               text        not null,
    provider_id          text,
    attempts             bigint      not null,
    due_at               timestamptz,
    recorded_at          timestamptz not null,
    primary key (day, project_id, delivery_id, outcome, occurred_at) -- one that is sent again may fail again
) partition by range (day);
create index recorded_statuses_of_customer on recorded_statuses (project_id, customer_id, event_at);
create index recorded_statuses_of_distribution on recorded_statuses (project_id, distribution_id, event_at);
create index recorded_statuses_of_event on recorded_statuses (project_id, event_id);

create table recorded_decisions_beyond partition of recorded_decisions for values from ('infinity') to (maxvalue);
create table recorded_statuses_beyond partition of recorded_statuses for values from ('infinity') to (maxvalue);

-- How far each partition of a topic is in, in the transaction of its rows. `late`: what came after its day was dropped.
create table recorded_positions (
    topic       text    not null,
    partition   integer not null,
    next_offset bigint  not null default 0,
    stamp       bigint  not null default -1, -- the latest record's time, in Unix ms: a topic made anew has lower offsets
    late        bigint  not null default 0,
    primary key (topic, partition)
);

-- True where a day has its table. Not by to_regclass: what that did not find it remembers over the wait for a lock.
create function has_recorded_day(parent text, name text) returns boolean volatile language sql as $$
    select exists (select from pg_class c join pg_inherits i on i.inhrelid = c.oid
                   where i.inhparent = parent::regclass and c.relname = name)
$$;

-- Makes the days that are missing. Those that are there cost no lock.
create function make_recorded_days(parent text, days date[]) returns void language plpgsql as $$
declare
    one date;
    name text;
begin
    foreach one in array days loop
        name := parent || '_' || to_char(one, 'YYYYMMDD');
        if not has_recorded_day(parent, name) then
            perform pg_advisory_xact_lock(hashtextextended('recorded', 0));
            if not has_recorded_day(parent, name) then
                execute format('create table %I (like %I including defaults)', name, parent);
                execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, name, one, one + 1);
            end if;
        end if;
    end loop;
end
$$;

-- Drops a day with all that is in it. We wait for a moment only, since others wait behind us: then it is left for later.
create function drop_recorded_day(parent text, day date) returns boolean language plpgsql
set lock_timeout = '200ms' as $$
begin
    execute format('lock table %I in access exclusive mode', parent);
    execute format('drop table if exists %I', parent || '_' || to_char(day, 'YYYYMMDD'));
    return true;
exception when lock_not_available then
    return false;
end
$$;
