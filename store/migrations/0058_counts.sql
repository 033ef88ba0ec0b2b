-- Counts of what was decided and of what became of deliveries, by the minute, kept in the transaction of the rows that they
-- count, so that a chart never counts rows. Each source (a partition of a topic) has counts of its own, so that no recorder
-- waits for another: they are summed where they are read. One of them alone may be below 0, where a row came from one source
-- and was told anew by another. `minute` is that which gives a row its day; no column is null, since nulls are never equal.
create table recorded_decisions_by_minute (
    day             date        not null,
    project_id      text        not null,
    distribution_id text        not null,
    minute          timestamptz not null,
    send_id         text        not null,
    outcome         text        not null,
    reason          text        not null,
    channel         text        not null,
    arm             text        not null,
    source          integer     not null,
    count           bigint      not null,
    primary key (project_id, distribution_id, minute, outcome, reason, channel, arm, send_id, source, day)
) partition by range (day);
create index recorded_decisions_by_minute_of_send on recorded_decisions_by_minute (project_id, send_id) where send_id <> '';

create table recorded_statuses_by_minute (like recorded_decisions_by_minute,
    primary key (project_id, distribution_id, minute, outcome, reason, channel, arm, send_id, source, day)
) partition by range (day);
create index recorded_statuses_by_minute_of_send on recorded_statuses_by_minute (project_id, send_id) where send_id <> '';

create table recorded_decisions_by_minute_beyond partition of recorded_decisions_by_minute
    for values from ('infinity') to (maxvalue);
create table recorded_statuses_by_minute_beyond partition of recorded_statuses_by_minute
    for values from ('infinity') to (maxvalue);

alter table recorded_positions add column source integer generated always as identity unique;

-- What a row was counted as before it was told anew; null of one that was told once. A statement that writes it has it exact,
-- whoever else writes at that moment.
create type recorded_state as (outcome text, reason text, channel text, arm text);
alter table recorded_decisions add column before recorded_state;
alter table recorded_statuses add column arm text, add column before recorded_state;

-- Makes the days that are missing, for rows and for their counts. Those that are there cost no lock.
alter function make_recorded_days(text, date[]) rename to make_days_of;
create function make_recorded_days(parent text, days date[]) returns void language sql as $$
    select make_days_of(parent, days), make_days_of(parent || '_by_minute', days)
$$;

-- Drops a day with all that is in it, and its counts. We wait for a moment only, since others wait behind us: then it is left
-- for later.
create or replace function drop_recorded_day(parent text, day date) returns boolean language plpgsql
set lock_timeout = '200ms' as $$
begin
    execute format('lock table %I in access exclusive mode', parent);
    execute format('lock table %I in access exclusive mode', parent || '_by_minute');
    execute format('drop table if exists %I', parent || '_' || to_char(day, 'YYYYMMDD'));
    execute format('drop table if exists %I', parent || '_by_minute_' || to_char(day, 'YYYYMMDD'));
    return true;
exception when lock_not_available then
    return false;
end
$$;

-- The counts of what is there already, whose source is not known.
select make_recorded_days('recorded_decisions', coalesce(array_agg(distinct day), '{}'))
from recorded_decisions where day <> 'infinity';
select make_recorded_days('recorded_statuses', coalesce(array_agg(distinct day), '{}'))
from recorded_statuses where day <> 'infinity';

insert into recorded_decisions_by_minute
select day, project_id, distribution_id, date_trunc('minute', coalesce(due_at, event_at), 'UTC'), coalesce(send_id, ''),
       outcome, coalesce(reason, ''), coalesce(channel, ''), coalesce(arm, ''), 0, count(*)
from recorded_decisions group by 1, 2, 3, 4, 5, 6, 7, 8, 9;

insert into recorded_statuses_by_minute
select day, project_id, distribution_id, date_trunc('minute', coalesce(due_at, event_at), 'UTC'), coalesce(send_id, ''),
       outcome, coalesce(reason, ''), channel, '', 0, count(*)
from recorded_statuses group by 1, 2, 3, 4, 5, 6, 7, 8, 9;
