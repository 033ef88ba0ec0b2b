-- Who still writes waits until all is copied: a delivery that came in after the ids were read would be sent again.
lock table deliveries, attempts, delivery_actions, past_deliveries in access exclusive mode;

-- Ids of deliveries, without content: whoever enters one here first may send it. In place of past_deliveries, which held
-- those of deliveries that were dropped; now every id is here from its claim on.
create function claim_key(delivery_id text) returns uuid immutable parallel safe language sql as $$
    select case when delivery_id ~ '^dlv_[0-9a-f]{32}$' then substr(delivery_id, 5)::uuid
                when octet_length(convert_to(delivery_id, 'UTF8')) = 16 -- as past_deliveries kept it
                    then encode(convert_to(delivery_id, 'UTF8'), 'hex')::uuid
                else encode(substr(sha256(convert_to(delivery_id, 'UTF8')), 1, 16), 'hex')::uuid end
$$;

create table claims (
    delivery_key uuid not null, -- claim_key of its id
    last_day     date           -- of the last event that can make the id again; null: any may, so it stays for ever
);
-- An id of another shape was its own key there. Ids of earlier versions stay for ever, as these versions said.
insert into claims (delivery_key)
select case when octet_length(key) = 16 then encode(key, 'hex')::uuid
            else encode(substr(sha256(key), 1, 16), 'hex')::uuid end from past_deliveries
union select claim_key(delivery_id) from deliveries;
alter table claims add primary key (delivery_key);
create index claims_by_day on claims (last_day) where last_day is not null;
drop table past_deliveries;
drop function delivery_key;

-- Events before this may have been sent by a claim that is forgotten; what is older is not sent. It never goes back.
create table oldest_event (at timestamptz not null);
create unique index oldest_event_is_one on oldest_event ((true));
insert into oldest_event values ('-infinity');

-- What happened to a delivery stands in its row: it goes where the row goes, and goes with it.
create type attempt as (at timestamptz, duration_ms integer, outcome text, detail text);
create type delivery_action as (at timestamptz, action text, actor text);

alter table deliveries rename to old_deliveries;
alter table attempts rename to old_attempts;
alter table delivery_actions rename to old_actions;

-- Deliveries that wait, or whose end delivery.status has still to be told: the outbound queue. Small, so not partitioned.
create table open_deliveries (
    delivery_id          text        not null,
    project_id           text        not null,
    distribution_id      text        not null,
    distribution_version bigint      not null,
    event_id             text        not null,
    customer_id          text        not null,
    channel              text        not null,
    destination          text        not null, -- account, or the endpoint's host
    lane                 text        not null check (lane in ('live', 'retry', 'bulk')),
    priority             integer     not null,
    expires_at           timestamptz,
    record               bytea       not null, -- the delivery, JSON
    arrived_at           timestamptz not null, -- when its event reached Kafka
    state                text        not null check (state in ('waiting', 'sent', 'recovered', 'failed')),
    due_at               timestamptz not null,
    lease_owner          text,
    lease_until          timestamptz,
    attempts             integer     not null default 0,
    attempts_before      integer     not null default 0, -- those that count no more, as it is sent again
    reason               text,
    detail               text        not null default '',
    provider_id          text,
    created_at           timestamptz not null,
    settled_at           timestamptz,
    erased               boolean     not null default false,
    tries                attempt[]   not null default '{}',
    actions              delivery_action[] not null default '{}' -- what people did to it
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.05);

-- Deliveries that are over and told, by the day on which that was. Nothing in here has still to be done, so that a day
-- goes as a whole. Days are made ahead; there is no default, since one that holds rows would keep days from being made.
create table ended_deliveries (
    delivery_id          text        not null,
    project_id           text        not null,
    distribution_id      text        not null,
    distribution_version bigint      not null,
    event_id             text        not null,
    customer_id          text        not null,
    channel              text        not null,
    destination          text        not null,
    priority             integer     not null,
    expires_at           timestamptz,
    record               bytea       not null,
    arrived_at           timestamptz not null,
    state                text        not null,
    due_at               timestamptz not null,
    attempts             integer     not null,
    reason               text,
    detail               text        not null,
    provider_id          text,
    created_at           timestamptz not null,
    settled_at           timestamptz not null,
    announced_at         timestamptz not null,
    erased               boolean     not null,
    tries                attempt[]   not null,
    actions              delivery_action[] not null
) partition by range (announced_at);

-- Makes the days that are missing. To attach a table leaves reading and writing of the others alone.
create function make_days(first date, last date) returns void language plpgsql as $$
declare
    day date;
    name text;
begin
    perform pg_advisory_xact_lock(hashtextextended('ended_deliveries', 0));
    for day in select first + n from generate_series(0, last - first) as n loop
        name := 'ended_deliveries_' || to_char(day, 'YYYYMMDD');
        if to_regclass(name) is null then
            execute format('create table %I (like ended_deliveries including defaults)', name);
            execute format('alter table ended_deliveries attach partition %I for values from (%L) to (%L)', name,
                           day || ' 00:00+00', day + 1 || ' 00:00+00');
        end if;
    end loop;
end
$$;

-- Drops a day with all that is in it. Readers take the table first and then its days, so we do; and since others wait
-- behind whoever waits, we wait for a moment only: then it is left for the next time.
create function drop_day(day date) returns boolean language plpgsql set lock_timeout = '200ms' as $$
begin
    lock table ended_deliveries in access exclusive mode;
    execute format('drop table if exists %I', 'ended_deliveries_' || to_char(day, 'YYYYMMDD'));
    return true;
exception when lock_not_available then
    return false;
end
$$;

select make_days(day, day)
from (select (coalesce(settled_at, created_at) at time zone 'UTC')::date as day from old_deliveries
      where state <> 'waiting' and announced
      union
      select (now() at time zone 'UTC')::date + n from generate_series(0, 7) as n) as days
order by day;

insert into open_deliveries
select delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id, channel, destination,
       case when attempts > 0 then 'retry' else 'live' end, priority, expires_at, record, arrived_at, state, due_at,
       lease_owner, lease_until, attempts, attempts_before, reason, detail, provider_id, created_at,
       case when state <> 'waiting' then coalesce(settled_at, created_at) end, erased,
       array(select (at, duration_ms, outcome, t.detail)::attempt
             from old_attempts t where t.delivery_id = d.delivery_id order by number),
       array(select (at, action, actor)::delivery_action
             from old_actions a where a.delivery_id = d.delivery_id order by at)
from old_deliveries d
where state = 'waiting' or not announced;

insert into ended_deliveries
select delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id, channel, destination,
       priority, expires_at, record, arrived_at, state, due_at, attempts, reason, detail, provider_id, created_at,
       coalesce(settled_at, created_at), coalesce(settled_at, created_at), erased,
       array(select (at, duration_ms, outcome, t.detail)::attempt
             from old_attempts t where t.delivery_id = d.delivery_id order by number),
       array(select (at, action, actor)::delivery_action
             from old_actions a where a.delivery_id = d.delivery_id order by at)
from old_deliveries d
where state <> 'waiting' and announced;

drop table old_deliveries;
drop table old_attempts;
drop table old_actions;

alter table open_deliveries add primary key (delivery_id);
-- What waits without a lease, by destination and lane: so that what is not to be called now costs nothing, however much
-- waits for it. A delivery with a lease is not in it, nor is its end.
create index open_deliveries_free on open_deliveries (channel, destination, lane, due_at, delivery_id)
    where state = 'waiting' and lease_owner is null;
-- Leases, to find those of senders that are gone.
create index open_deliveries_leased on open_deliveries (lease_until) where state = 'waiting' and lease_owner is not null;
-- Outcomes that delivery.status has not been told yet.
create index open_deliveries_untold on open_deliveries (settled_at) where state <> 'waiting';
create index open_deliveries_of_customer on open_deliveries (project_id, customer_id, created_at);

create index ended_deliveries_by_id on ended_deliveries (delivery_id);
create index ended_deliveries_of_customer on ended_deliveries (project_id, customer_id, created_at);
-- What may be sent again: its texts are in use.
create index ended_deliveries_failed on ended_deliveries (project_id, distribution_id, distribution_version)
    where state = 'failed';

-- All of them, for reading.
create view deliveries as
select delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id, channel, destination,
       lane, priority, expires_at, record, arrived_at, state, due_at, lease_owner, lease_until, attempts, reason, detail,
       provider_id, created_at, settled_at, false as announced, erased, tries, actions
from open_deliveries
union all
select delivery_id, project_id, distribution_id, distribution_version, event_id, customer_id, channel, destination,
       null, priority, expires_at, record, arrived_at, state, due_at, null, null, attempts, reason, detail,
       provider_id, created_at, settled_at, true, erased, tries, actions
from ended_deliveries;

analyze claims;
analyze open_deliveries;
