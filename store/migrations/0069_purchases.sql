-- What customers bought, and the codes that they redeemed, as events tell it: written by recorders, for reading alone. A row
-- is found again by its day, which is its event's, and its event's id. `subject_id` is that of the order or the redemption,
-- by which what was taken back is known. A code is kept as its key, a hash; by that a redemption finds the delivery that gave
-- its customer this very code, whichever of the two is recorded first. The delivery's columns are null while none is known.
create table recorded_purchases (
    day                  date        not null,
    project_id           text        not null,
    event_id             text        not null,
    customer_id          text        not null,
    event_at             timestamptz not null,
    kind                 text        not null,
    subject_id           text        not null,
    code_key             text,
    amount               bigint,     -- of the order, in minor units
    currency             text,
    recorded_at          timestamptz not null,
    delivery_id          text,
    sent_at              timestamptz,
    distribution_id      text,
    distribution_version bigint,
    channel              text,
    arm                  text,
    primary key (day, project_id, event_id)
) partition by range (day);
create index recorded_purchases_of_customer on recorded_purchases (project_id, customer_id, event_at);
create index recorded_purchases_of_subject on recorded_purchases (project_id, subject_id);
create index recorded_purchases_of_code on recorded_purchases (project_id, code_key) where code_key is not null;
create index recorded_purchases_of_distribution on recorded_purchases (project_id, distribution_id, event_at)
    where kind = 'redemption';
create table recorded_purchases_beyond partition of recorded_purchases for values from ('infinity') to (maxvalue);

create table rebuilt_purchases (like recorded_purchases including all) partition by range (day);
create table rebuilt_purchases_beyond partition of rebuilt_purchases for values from ('infinity') to (maxvalue);

-- The key of the code that a delivery gave its customer, where it gave one.
alter table recorded_statuses add column code_key text;
alter table rebuilt_statuses add column code_key text;
create index recorded_statuses_of_code on recorded_statuses (project_id, code_key) where code_key is not null;
create index rebuilt_statuses_of_code on rebuilt_statuses (project_id, code_key) where code_key is not null;

-- Purchases have no counts by the minute.
create or replace function make_recorded_days(parent text, days date[]) returns void language plpgsql as $$
begin
    perform make_days_of(parent, days);
    if parent not like '%purchases' then
        perform make_days_of(parent || '_by_minute', days);
    end if;
end
$$;

create or replace function drop_recorded_day(parent text, day date) returns boolean language plpgsql
set lock_timeout = '200ms' as $$
begin
    execute format('lock table %I in access exclusive mode', parent);
    if parent not like '%purchases' then
        execute format('lock table %I in access exclusive mode', parent || '_by_minute');
        execute format('drop table if exists %I', parent || '_by_minute_' || to_char(day, 'YYYYMMDD'));
    end if;
    execute format('drop table if exists %I', parent || '_' || to_char(day, 'YYYYMMDD'));
    return true;
exception when lock_not_available then
    return false;
end
$$;

create or replace function clear_rebuilt() returns void language plpgsql as $$
declare
    one text;
begin
    for one in select c.oid::regclass::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
               where i.inhparent in ('rebuilt_decisions'::regclass, 'rebuilt_statuses'::regclass,
                                     'rebuilt_decisions_by_minute'::regclass, 'rebuilt_statuses_by_minute'::regclass,
                                     'rebuilt_purchases'::regclass)
                 and c.relname ~ '_[0-9]{8}$' loop
        execute format('drop table %s', one);
    end loop;
    truncate rebuilt_decisions, rebuilt_statuses, rebuilt_decisions_by_minute, rebuilt_statuses_by_minute, rebuilt_positions,
             rebuilt_purchases;
end
$$;
