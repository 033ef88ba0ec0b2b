-- Results of distributions: codes that were redeemed, what was paid with them, and who bought something afterwards.

-- name: asked
-- Purchases of a project's range of time. Days are named so that others are not looked into.
p.project_id = $1 and p.event_at >= $2::timestamptz and p.event_at < $3::timestamptz
  and (p.day between ($2 at time zone 'UTC')::date and ($3 at time zone 'UTC')::date or p.day = 'infinity')

-- name: taken_back
-- Redemptions of a project that were taken back at some time since.
select distinct subject_id from recorded_purchases
    where project_id = $1 and kind = 'rollback' and day >= ($2::timestamptz at time zone 'UTC')::date

-- name: redemptions
-- Redemptions by the distribution and arm whose delivery gave the code, and by currency; null where none is known that did.
-- $5 at most.
select p.distribution_id, p.arm, p.currency, count(*) as redemptions, count(back.subject_id) as taken_back,
       count(distinct p.customer_id) as customers,
       coalesce(sum(p.amount) filter (where back.subject_id is null), 0) as revenue
from recorded_purchases p
left join (:taken_back) as back on back.subject_id = p.subject_id
where :asked and p.kind = 'redemption' and ($4::text is null or p.distribution_id = $4)
group by 1, 2, 3 order by 1 nulls last, 2 nulls first, 3 nulls first
limit $5;

-- name: is_held_out
-- A decision that held its customer out.
d.outcome = 'skipped' and d.reason = 'holdout'

-- name: is_let_through
-- A decision that can be made of those alone who are not held out; $6 are reasons that are looked at behind that.
(d.outcome = 'emitted' or d.outcome = 'skipped' and d.reason = any($6::text[]))

-- name: groups
-- Customers whom a distribution ($4) was decided about first in a range of time, by whether they were held out and their arm;
-- how many bought or redeemed something within $5 behind that, and how many have not had so long by $7 and count nowhere. Who
-- was in both groups is in neither.
with decided as (
    select d.customer_id, bool_or(:is_held_out) as held_out, bool_or(:is_let_through) as let_through, max(d.arm) as arm,
           min(coalesce(d.due_at, d.event_at)) as at
    from recorded_decisions d
    where d.project_id = $1 and d.distribution_id = $4
      and d.day between ($2::timestamptz at time zone 'UTC')::date and ($3::timestamptz at time zone 'UTC')::date
      and coalesce(d.due_at, d.event_at) >= $2 and coalesce(d.due_at, d.event_at) < $3
      and (:is_held_out or :is_let_through)
    group by d.customer_id
), judged as (
    select decided.held_out, decided.arm, decided.at + $5::interval <= $7::timestamptz as is_over,
           exists (
        select from recorded_purchases p
        where p.project_id = $1 and p.customer_id = decided.customer_id and p.kind in ('order', 'redemption')
          and p.event_at > decided.at and p.event_at < decided.at + $5
          and p.day between (decided.at at time zone 'UTC')::date and ((decided.at + $5) at time zone 'UTC')::date
          and not exists (
            select from recorded_purchases b
            where b.project_id = $1 and b.subject_id = p.subject_id and b.day >= ($2 at time zone 'UTC')::date
              and b.kind = case p.kind when 'order' then 'order_canceled' else 'rollback' end)
    ) as converted
    from decided where held_out <> let_through
)
select held_out, arm, count(*) filter (where is_over) as customers, count(*) filter (where is_over and converted) as converted,
       count(*) filter (where not is_over) as open
from judged group by 1, 2 order by 1, 2 nulls first;
