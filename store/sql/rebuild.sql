-- name: lock
-- The row of who makes read models anew: one at a time begins, replaces a day and ends.
select pg_advisory_xact_lock(hashtextextended('rebuilds', 0));

-- name: begin
-- Somebody begins; whoever has before finds that it is not theirs any more.
insert into rebuilds (run, begun_by, begun_at) values ($1, $2, now())
on conflict (is_only) do update set run = excluded.run, begun_by = excluded.begun_by, begun_at = excluded.begun_at;

-- name: clear
-- What was made so far is forgotten.
select clear_rebuilt();

-- name: still_ours
-- True while nobody else has begun; they wait until this transaction is over.
select true from rebuilds where run = $1 for share;

-- name: end
-- Nobody makes any.
delete from rebuilds where run = $1;

-- name: unfinished
-- Who has begun to make read models anew, and has not come to the end.
select begun_by, begun_at from rebuilds;

-- name: stop_recorders
-- Waits for what recorders are writing, and has them wait until this transaction is over.
lock table recorded_positions in exclusive mode;

-- name: wait_for_erasures
-- As recorders do: an erasure sees the rows in one place or the other.
select pg_advisory_xact_lock_shared(hashtextextended('recorded_erasures', 0));

-- name: latest_read
-- The time of the latest record that recorders have read of a partition, in Unix ms.
select stamp from recorded_positions where topic = $1 and partition = $2;

-- name: days
-- Every day that there is, of the old ones and of the new.
select distinct to_date(right(c.relname, 8), 'YYYYMMDD') as day
from pg_inherits i join pg_class c on c.oid = i.inhrelid and c.relname ~ '_[0-9]{8}$'
where i.inhparent in ('recorded_decisions'::regclass, 'recorded_statuses'::regclass, 'recorded_purchases'::regclass,
                      'rebuilt_decisions'::regclass, 'rebuilt_statuses'::regclass, 'rebuilt_purchases'::regclass)
order by day;

-- name: has_more
-- True where a day has decisions, ends or purchases from before the moments of their topics that were not found again:
-- those do not hold it whole.
select exists (
    select from recorded_decisions d where d.day = $1 and d.decided_at < $2
    and not exists (select from rebuilt_decisions r
                    where (r.day, r.project_id, r.decision_id) = (d.day, d.project_id, d.decision_id))
) or exists (
    select from recorded_statuses s where s.day = $1 and s.occurred_at < $3
    and not exists (select from rebuilt_statuses r
                    where (r.day, r.project_id, r.delivery_id, r.outcome, r.occurred_at)
                        = (s.day, s.project_id, s.delivery_id, s.outcome, s.occurred_at))
) or exists (
    select from recorded_purchases p
    where p.day = $1 and p.event_at < case when p.kind in ('order', 'order_canceled') then $4::timestamptz else $5 end
    and not exists (select from rebuilt_purchases r
                    where (r.day, r.project_id, r.event_id) = (p.day, p.project_id, p.event_id))
);

-- name: count_day
-- Rows of a new day.
select (select count(*) from rebuilt_decisions where day = $1) as decisions,
       (select count(*) from rebuilt_statuses where day = $1) as statuses,
       (select count(*) from rebuilt_purchases where day = $1) as purchases;

-- name: bound_day
-- A new day says which rows are in it.
select bound_rebuilt_day($1, $2::date);

-- name: replace_day
-- A new day takes the place of the old one.
select replace_recorded_day($1, $2::date);
