-- Read models that are made anew from the topics while the old ones go on being read: the same tables, filled by the same
-- writer, until each of their days takes the place of an old one. They are empty while nobody makes any.
create table rebuilt_decisions (like recorded_decisions including all) partition by range (day);
create table rebuilt_statuses (like recorded_statuses including all) partition by range (day);
create table rebuilt_decisions_beyond partition of rebuilt_decisions for values from ('infinity') to (maxvalue);
create table rebuilt_statuses_beyond partition of rebuilt_statuses for values from ('infinity') to (maxvalue);
create table rebuilt_decisions_by_minute (like recorded_decisions_by_minute including all) partition by range (day);
create table rebuilt_statuses_by_minute (like recorded_statuses_by_minute including all) partition by range (day);
create table rebuilt_decisions_by_minute_beyond partition of rebuilt_decisions_by_minute
    for values from ('infinity') to (maxvalue);
create table rebuilt_statuses_by_minute_beyond partition of rebuilt_statuses_by_minute
    for values from ('infinity') to (maxvalue);
create table rebuilt_positions (like recorded_positions including all);

-- Who makes them anew: the last to begin, for the one before is gone, or gives way.
create table rebuilds (
    is_only  boolean     primary key default true check (is_only),
    run      text        not null,
    begun_by text        not null,
    begun_at timestamptz not null
);

-- Forgets what was made so far.
create function clear_rebuilt() returns void language plpgsql as $$
declare
    one text;
begin
    for one in select c.oid::regclass::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
               where i.inhparent in ('rebuilt_decisions'::regclass, 'rebuilt_statuses'::regclass,
                                     'rebuilt_decisions_by_minute'::regclass, 'rebuilt_statuses_by_minute'::regclass)
                 and c.relname ~ '_[0-9]{8}$' loop
        execute format('drop table %s', one);
    end loop;
    truncate rebuilt_decisions, rebuilt_statuses, rebuilt_decisions_by_minute, rebuilt_statuses_by_minute, rebuilt_positions;
end
$$;

-- Says of a new day which rows are in it, so that none is looked at when it is put in its place.
create function bound_rebuilt_day(parent text, day date) returns void language plpgsql as $$
declare
    made text := replace(parent, 'recorded_', 'rebuilt_') || '_' || to_char(day, 'YYYYMMDD');
begin
    if to_regclass(quote_ident(made)) is not null then
        execute format('alter table %I drop constraint if exists day_of_it', made);
        execute format('alter table %I add constraint day_of_it check (day >= %L and day < %L)', made, day, day + 1);
    end if;
end
$$;

-- Puts a day that was made anew in the place of the old one, or nothing where nothing was made. Whoever has locked
-- recorded_positions calls it. It waits for readers for a moment only, since others wait behind it: then it is an error.
create function replace_recorded_day(parent text, day date) returns void language plpgsql
set lock_timeout = '200ms' as $$
declare
    shadow text := replace(parent, 'recorded_', 'rebuilt_');
    name text := parent || '_' || to_char(day, 'YYYYMMDD');
    made text := shadow || '_' || to_char(day, 'YYYYMMDD');
begin
    execute format('lock table %I in access exclusive mode', parent);
    execute format('drop table if exists %I', name);
    if has_recorded_day(shadow, made) then
        execute format('alter table %I detach partition %I', shadow, made);
        execute format('alter table %I rename to %I', made, name);
        execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, name, day, day + 1);
        execute format('alter table %I drop constraint if exists day_of_it', name);
    end if;
end
$$;
