-- How many messages a project may send: a row for each that has a limit. Whoever takes some locks it.
create table project_limits (
    project_id text    primary key,
    zone       text    not null, -- where its days and months begin
    in_all     integer,
    a_day      integer,
    a_month    integer,
    check (in_all is not null or a_day is not null or a_month is not null)
);

-- What such a project has taken of them, by its days.
create table project_usage (
    project_id text   not null,
    day        date   not null,
    taken      bigint not null,
    primary key (project_id, day)
);

-- What was taken and not used: written without waiting for anybody, and brought in by whoever takes next.
create table project_usage_returned (
    project_id text not null,
    day        date not null
);
create index project_usage_returned_of on project_usage_returned (project_id, day);

-- The day on which a delivery was counted; null: it has not been.
alter table open_deliveries add column counted_on date;
alter table ended_deliveries add column counted_on date;

-- The limits of a project at a moment, with what is used of each and when all of it is free again.
create function used_of_limits(project text, at timestamptz)
returns table (span text, allowed integer, used bigint, free_at timestamptz)
language sql stable as $$
    select s.span, s.allowed,
           coalesce((select sum(u.taken) from project_usage u where u.project_id = project and u.day >= s.since), 0)::bigint
           - (select count(*) from project_usage_returned r where r.project_id = project and r.day >= s.since),
           s.free_at
    from project_limits l
    cross join lateral (select (at at time zone l.zone)::date as today) as t
    cross join lateral (select date_trunc('month', today::timestamp) as first) as m
    cross join lateral (values
        (1, 'in_all', l.in_all, '-infinity'::date, null::timestamptz),
        (2, 'a_month', l.a_month, first::date, (first + interval '1 month') at time zone l.zone),
        (3, 'a_day', l.a_day, today, (today + 1)::timestamp at time zone l.zone)
    ) as s (place, span, allowed, since, free_at)
    where l.project_id = project and s.allowed is not null
    order by s.place
$$;

-- Takes of a project's limits for so many deliveries; how many may leave, the day that they count on, and why no more
-- may. Whoever else takes of the same project waits for the end of the transaction.
create function take_of_limits(project text, wanted integer, at timestamptz,
                               out granted integer, out today date, out refused text)
language plpgsql as $$
declare
    tightest record;
    own_zone text;
begin
    granted := wanted;
    select l.zone into own_zone from project_limits l where l.project_id = project for update;
    if not found then return; end if; -- it has none any more
    today := (at at time zone own_zone)::date;
    with returned as (
        delete from project_usage_returned r where r.project_id = project returning r.day
    ), by_day as (
        select r.day, count(*) as number from returned r group by 1
    )
    update project_usage u set taken = u.taken - by_day.number
    from by_day where u.project_id = project and u.day = by_day.day;
    -- Of several that are as tight, the one that is free again last.
    select u.* into tightest from used_of_limits(project, at) u
    order by greatest(u.allowed - u.used, 0), u.free_at desc nulls first limit 1;
    granted := least(wanted, greatest(tightest.allowed - tightest.used, 0));
    refused := case tightest.span
        when 'in_all' then format('the plan of the project lets %s messages leave in all', tightest.allowed)
        else format('the plan of the project lets %s messages leave a %s; there is room again from %s on',
                    tightest.allowed, substr(tightest.span, 3),
                    to_char(tightest.free_at at time zone own_zone, 'YYYY-MM-DD HH24:MI') || ' ' || own_zone)
    end;
    if granted > 0 then
        insert into project_usage as u (project_id, day, taken) values (project, today, granted)
        on conflict (project_id, day) do update set taken = u.taken + excluded.taken;
    end if;
end
$$;

-- What ends without an attempt gives back what it took. Not where it may have left all the same: somebody had a lease.
create function return_of_limits() returns trigger language plpgsql as $$
begin
    insert into project_usage_returned (project_id, day) values (old.project_id, old.counted_on);
    new.counted_on := null;
    return new;
end
$$;
create trigger unused_is_returned before update of state on open_deliveries for each row
    when (old.counted_on is not null and old.state = 'waiting' and new.state = 'failed' and new.attempts = 0
          and not new.possibly_accepted and (old.lease_owner is null or new.reason <> 'canceled'))
    execute function return_of_limits();
