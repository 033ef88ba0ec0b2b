-- What accounts sent and what of it came back, by the hour in which it was sent: so that what is reported days later
-- counts beside what it belongs to, and an account is not judged by the bounces of another week's messages.

-- name: count_sent
-- Adds what was sent this hour.
insert into account_hours as h (project_id, channel, destination, hour, counted_from, sent, bounced)
select project_id, channel, destination, date_trunc('hour', now(), 'UTC'), now(), sent, bounced
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
         as a (project_id, channel, destination, sent, bounced)
order by 1, 2, 3 -- so that two who count the same do not wait for each other
on conflict (project_id, channel, destination, hour) do update
set sent = h.sent + excluded.sent, bounced = h.bounced + excluded.bounced;

-- name: count_reported
-- Adds what was reported of deliveries, each to the hour in which it was sent. Where that is not counted, as from before
-- the account was resumed, this is not either. A minute: until what a sender holds is counted.
update account_hours h
set bounced = h.bounced + r.bounced, complained = h.complained + r.complained
from (select hour, a.project_id, a.channel, a.destination, count(*) filter (where outcome = 'bounced') as bounced,
             count(*) filter (where outcome = 'complained') as complained
      from unnest($1::text[], $2::text[], $3::text[]) as one (project_id, delivery_id, outcome)
      join deliveries d using (project_id, delivery_id)
      join account_hours a on (a.project_id, a.channel, a.destination)
                              = (d.project_id, d.channel, coalesce(d.through, d.destination))
      where hour = date_trunc('hour', d.settled_at, 'UTC')
        and d.settled_at >= counted_from - interval '1 minute'
      group by 1, 2, 3, 4) as r
where h.project_id = r.project_id and h.channel = r.channel and h.destination = r.destination and h.hour = r.hour;

-- name: to_judge
-- What the accounts that are not paused sent within $1, where it was $2 or more and some came back.
select project_id, channel, destination, sum(sent)::bigint as count, sum(bounced)::bigint as bounced,
       sum(complained)::bigint as complained
from account_hours h
where hour > now() - $1::interval
  and not exists (select from paused_destinations p
                  where p.project_id = h.project_id and p.channel = h.channel and p.destination = h.destination)
group by 1, 2, 3
having sum(sent) >= $2 and sum(bounced) + sum(complained) > 0;

-- name: forget_hours
-- What is not judged any more.
delete from account_hours where hour <= now() - $1::interval;
