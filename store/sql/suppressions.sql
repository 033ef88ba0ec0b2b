-- name: add_suppressions
-- Adds entries. What is there is never shortened, nor is a reason hidden by a weaker one ($11, the strongest first): an
-- address that bounces after a complaint still stands there for the complaint. What is over gives way whole. Counts what
-- changed; the same twice is one.
with asked as (
    select project_id, key_hash, channel, key, reason, source,
           case when lasts is null then expires_at else now() + lasts end as expires_at,
           coalesce(added_at, now()) as added_at, added_by, number
    from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                $8::interval[], $9::timestamptz[], $10::text[])
             with ordinality as a (project_id, key_hash, channel, key, reason, source, expires_at, lasts, added_at,
                                   added_by, number)
), longest as (
    select distinct on (project_id, key_hash, channel) *,
           max(coalesce(expires_at, 'infinity')) over (partition by project_id, key_hash, channel) as until
    from asked
    order by project_id, key_hash, channel, array_position($11::text[], reason), expires_at desc nulls first, number
), added as (
    insert into suppressions as s (project_id, key_hash, channel, key, reason, source, expires_at, added_at, added_by)
    select project_id, key_hash, channel, key, reason, source, nullif(until, 'infinity'), added_at, added_by from longest
    on conflict (project_id, key_hash, channel) do update
    set (reason, source, added_at, added_by, expires_at) = (
        select case when gives_way then excluded.reason else s.reason end,
               case when gives_way then excluded.source else s.source end,
               case when gives_way then excluded.added_at else s.added_at end,
               case when gives_way then excluded.added_by else s.added_by end,
               nullif(greatest(coalesce(excluded.expires_at, 'infinity'), coalesce(s.expires_at, 'infinity')), 'infinity')
        from (select s.expires_at <= now() is true
                     or array_position($11::text[], excluded.reason) <= array_position($11::text[], s.reason)
                     as gives_way) as judged)
    where coalesce(excluded.expires_at, 'infinity') > coalesce(s.expires_at, 'infinity')
          or array_position($11::text[], excluded.reason) < array_position($11::text[], s.reason)
    returning 1
)
select count(*) from added;

-- name: remove_suppressions
-- Takes the entry of a channel off the list, or with null each that the key has.
delete from suppressions where project_id = $1 and key_hash = $2 and ($3::text is null or channel = $3)
returning channel;

-- name: lift_suppression
-- Takes what the owner of a key asked for off the list, on one channel; what anybody else put there stays.
delete from suppressions
where project_id = $1 and key_hash = $2 and channel = $3 and reason = 'unsubscribed'
  and (source like $4 || '%' or added_by = 'sender')
returning channel;

-- name: find_suppressions
-- The entries of some keys.
select key, channel, reason, source, expires_at, added_at, added_by from suppressions
where project_id = $1 and key_hash = any($2::uuid[]) and (expires_at is null or expires_at > now())
order by key, channel;

-- name: list_suppressions
-- A part of the list, in order, behind a key and a channel.
select key, channel, reason, source, expires_at, added_at, added_by from suppressions
where project_id = $1 and (key, channel) > ($2, $3) and (expires_at is null or expires_at > now())
order by key, channel limit $4;

-- name: page_suppressions
-- A part of the list in the order of the primary key, behind a hash and a channel; of one channel ($4) or reason ($5),
-- where these are given.
select key, channel, reason, source, expires_at, added_at, added_by from suppressions
where project_id = $1 and (key_hash, channel) > ($2::uuid, $3::text) and (expires_at is null or expires_at > now())
  and ($4::text is null or channel = $4) and ($5::text is null or reason = $5)
order by key_hash, channel limit $6;

-- name: taken_since
-- A delivery `d` that went to the customer of `a` after the last bounce `s` and before this one, was taken, and did not
-- come back.
d.project_id = a.project_id and d.customer_id = a.customer_id and d.channel = a.channel
and d.state in ('sent', 'recovered') and d.settled_at > s.last_at and d.settled_at < a.at
and not exists (select from status_events e
                where e.project_id = d.project_id and e.delivery_id = d.delivery_id and e.outcome = 'bounced')

-- name: count_bounces
-- Counts soft bounces, each of a message of $5, or of now; those in a row of each address, and the time from the first to
-- the last. Where something that went to its customer in between was taken, and did not come back, the row begins anew:
-- so nothing has to be written where nothing bounces.
with asked as (
    select project_id, key_hash, channel, customer_id, coalesce(at, now()) as at
    from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
             as a (project_id, key_hash, channel, customer_id, at)
), known as (
    select a.*, s.bounces, s.first_at, s.last_at,
           exists (select from open_deliveries d where :taken_since)
           or exists (select from ended_deliveries d -- of the days since then alone
                      where d.announced_at > s.last_at and :taken_since) as was_taken
    from asked a left join soft_bounces s using (project_id, key_hash, channel)
)
insert into soft_bounces as s (project_id, key_hash, channel, bounces, first_at, last_at)
select project_id, key_hash, channel, case when was_taken then 1 else coalesce(bounces, 0) + 1 end,
       case when was_taken then at else least(first_at, at) end, greatest(last_at, at)
from known
order by 1, 2, 3 -- so that two who count the same do not wait for each other
on conflict (project_id, key_hash, channel) do update
set bounces = excluded.bounces, first_at = excluded.first_at, last_at = excluded.last_at
returning project_id, key_hash, channel, bounces, last_at - first_at as span;
