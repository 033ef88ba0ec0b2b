-- Every time in this file is the database's.

-- name: add
-- A send that is not confirmed yet.
insert into sends (project_id, send_id, distribution_id, status, segment_id, owns_segment, at, local_time, not_before,
                   lasts_until, hold, created_by)
values ($1, $2, $3, 'DRAFT', $4, $5, $6, $7, $8, $9, $10, $11);

-- name: add_backfill
-- The backfill of a distribution that is set live. $5: its moment, now or when the distribution starts.
insert into sends (project_id, send_id, distribution_id, status, segment_id, owns_segment, not_before, hold, created_by,
                   backfill, live_at)
values ($1, $2, $3, 'DRAFT', $4, false, $5::timestamptz, interval '0', $6, $7, $5::timestamptz);

-- name: backfills
-- Backfills of a distribution that are not over, as nobody else changes them now.
select :columns from sends s
where s.project_id = $1 and s.distribution_id = $2 and s.backfill is not null and s.status not in ('DONE', 'STOPPED')
order by s.send_id for update;

-- name: has_segment
-- Whether a segment is one of ours; it is kept as long as the transaction.
select true from segments where project_id = $1 and segment_id = $2 for key share;

-- name: add_members
-- Customers of a list; one who stands in it twice is there once.
insert into send_members (project_id, send_id, customer_id)
select $1::text, $2::text, customer_id from unnest($3::text[]) as m (customer_id)
on conflict do nothing;

-- name: note
-- What somebody did.
insert into send_actions (project_id, send_id, at, action, actor, detail) values ($1, $2, now(), $3, $4, $5);

-- name: count_of
-- How many a send `s` goes to, as of now.
(select case when s.segment_id is null
             then (select count(*) from send_members m where m.project_id = s.project_id and m.send_id = s.send_id)
             else (select count(*) from segment_memberships m
                   where m.project_id = s.project_id and m.segment_id = s.segment_id and m.is_member) end)

-- name: is_complete
-- Whether all that a send `s` goes to is known: its segment has been compared with every customer.
(s.segment_id is null
 or exists (select from segments g where g.project_id = s.project_id and g.segment_id = s.segment_id
                                     and g.computed_version = g.version))

-- name: columns
-- A send `s`, as it stands.
s.project_id, s.send_id, s.distribution_id, s.status, s.segment_id, s.owns_segment, s.at, s.local_time, s.hold, s.audience,
s.confirmed_at, s.starts_at, s.started_at, s.version, s.emitted, s.emitted_at, s.gone, s.waits_for, s.created_by,
s.created_at, s.ended_at, s.backfill, s.live_at, s.is_swept, s.revision, s.approve_above, s.segment_digest

-- name: find
-- One send.
select :columns from sends s where s.project_id = $1 and s.send_id = $2;

-- name: listed
-- The newest sends of a project. $3: of this status alone. $4, $5: behind the one that was created then.
select :columns from sends s
where s.project_id = $1 and ($3::text is null or s.status = $3::text)
  and ($4::timestamptz is null or (s.created_at, s.send_id) < ($4::timestamptz, $5::text))
order by s.created_at desc, s.send_id desc limit $2;

-- name: ids
-- Sends of a project that a person could mean.
select send_id from sends where project_id = $1 order by created_at desc limit 50;

-- name: actions
-- What people did to a send.
select at, action, actor, detail from send_actions where project_id = $1 and send_id = $2 order by at;

-- name: count
-- How many a send goes to, and whether that is all of them.
select :count_of as audience, :is_complete as is_complete from sends s where s.project_id = $1 and s.send_id = $2;

-- name: discard
-- A draft that nobody wants. Its members and what was done to it go with it.
delete from sends where project_id = $1 and send_id = $2 and status = 'DRAFT' returning owns_segment, segment_id;

-- name: remove_segment
-- A segment that was made for a send.
delete from segments where project_id = $1 and segment_id = $2;

-- name: confirm
-- A draft is to be sent: after its hold, which begins now, or once its segment is complete. $3: beyond so many customers
-- not without an approval.
update sends s
set status = 'TO SEND', confirmed_at = now(), look_at = now(), audience = :count_of, approve_above = $3::bigint,
    hold_from = case when :is_complete then now() end,
    starts_at = case when :is_complete then greatest(now() + hold, not_before) end
where project_id = $1 and send_id = $2 and status = 'DRAFT'
returning :columns;

-- name: lock
-- One send, as nobody else changes it now.
select :columns from sends s where s.project_id = $1 and s.send_id = $2 for update;

-- name: edit
-- Another moment or another hold. $8: the hold begins anew; else it counts on from when it did.
update sends s
set at = $3::timestamptz, local_time = $4, not_before = $5, lasts_until = $6, hold = $7::interval, look_at = now(),
    revision = revision + 1,
    hold_from = case when hold_from is not null and $8::boolean then now() else hold_from end,
    starts_at = case when hold_from is not null
                     then greatest(case when $8::boolean then now() else hold_from end + $7::interval, $5::timestamptz) end
where project_id = $1 and send_id = $2
returning :columns;

-- name: readdress
-- Other recipients than before: a draft again, that nobody works on. Its list goes.
with gone as (delete from send_members where project_id = $1 and send_id = $2)
update sends s
set status = 'DRAFT', segment_id = $3, owns_segment = $4, confirmed_at = null, hold_from = null, starts_at = null,
    audience = 0, lease_owner = null, lease_until = null, waits_for = '', revision = revision + 1
where project_id = $1 and send_id = $2
returning :columns;

-- name: pause
-- Nothing more of it goes out, and what waits for its first try waits on.
update sends s set status = 'PAUSED' where project_id = $1 and send_id = $2 returning :columns;

-- name: put_off
-- What is queued of a send that is paused.
update open_deliveries set due_at = 'infinity'
where project_id = $1 and send_id = $2 and state = 'waiting' and lease_owner is null;

-- name: resume
-- It goes on: with its hold or its moment, where it has not begun.
update sends s
set status = case when confirmed_at is null then 'DRAFT' when version is null then 'TO SEND' else 'SENDING' end,
    look_at = now(), waits_for = ''
where project_id = $1 and send_id = $2 returning :columns;

-- name: call_back
-- What was queued of a send that goes on.
update open_deliveries set due_at = now()
where project_id = $1 and send_id = $2 and state = 'waiting' and due_at = 'infinity';

-- name: stop
-- Nothing of it leaves any more: senders refuse what comes later.
update sends s set status = 'STOPPED', ended_at = now(), gone = $3::bigint
where project_id = $1 and send_id = $2 returning :columns;

-- name: cancel
-- What is queued of a send that was stopped ends; senders tell delivery.status.
update open_deliveries
set state = 'failed', reason = 'canceled', detail = $3, settled_at = now(), lease_owner = null, lease_until = null
where project_id = $1 and send_id = $2 and state = 'waiting' and (lease_owner is null or lease_until < now())
returning true;

-- name: held
-- How much of a send `s` waits outside the ledger: until a moment, or for a code.
((select count(*) from holds h where h.project_id = s.project_id and h.send_id = s.send_id and h.ended_at is null)
 + (select count(*) from held_requests r where r.project_id = s.project_id and r.send_id = s.send_id))

-- name: call_off
-- What waits of a send until a moment is due at once, and decided as canceled. What waits for a code publishers end.
update holds set until_at = now(), canceled_by = $3::text, canceled_at = now()
where project_id = $1 and send_id = $2 and ended_at is null and canceled_by is null and until_at > clock_timestamp();

-- name: progress
-- What became of the deliveries of a send: how many left, how many are on their way this moment, wait, or failed; and how
-- much is held before it is one.
select count(*) filter (where state in ('sent', 'recovered')) as sent,
       count(*) filter (where state = 'waiting' and lease_until > now()) as under_way,
       count(*) filter (where state = 'waiting' and not coalesce(lease_until > now(), false)) as waiting,
       count(*) filter (where state = 'failed') as failed,
       (select :held from sends s where s.project_id = $1 and s.send_id = $2) as held
from (select state, lease_until from open_deliveries where project_id = $1 and send_id = $2
      union all
      select state, null from ended_deliveries where project_id = $1 and send_id = $2) as d;

-- name: claim
-- The send that was looked at the longest ago, of those that are due: nobody else works on it until the lease ends.
with next as (
    select project_id, send_id from sends
    where status in ('TO SEND', 'SENDING') and look_at <= now() and starts_at <= now()
      and (lease_until is null or lease_until < now())
    order by look_at limit 1 for update skip locked
)
update sends s set lease_owner = $1, lease_until = now() + $2::interval
from next where s.project_id = next.project_id and s.send_id = next.send_id
returning :columns, s.checkpoint, s.distribution;

-- name: complete
-- Sends whose segment has been compared with every customer by now: their hold begins.
update sends s
set hold_from = now(), starts_at = greatest(now() + hold, not_before), audience = :count_of, look_at = now()
where status in ('TO SEND', 'PAUSED') and confirmed_at is not null and hold_from is null and :is_complete
returning true;

-- name: rule
-- The newest version of a distribution, and when its first was applied.
select definition, (select min(applied_at) from distribution_versions f
                    where f.project_id = v.project_id and f.distribution_id = v.distribution_id) as created_at
from distribution_versions v where project_id = $1 and distribution_id = $2 order by version desc limit 1;

-- name: begin
-- Its first event is about to be made: what stands in all of them is fixed. $6: their moment, which is later than planned
-- where its distribution was given a later start meanwhile. $7: its segment as it is defined now.
update sends
set status = 'SENDING', started_at = now(), version = $4, distribution = $5, waits_for = '',
    segment_digest = $7,
    starts_at = greatest(starts_at, $6::timestamptz), live_at = case when live_at is not null then $6::timestamptz end
where project_id = $1 and send_id = $2 and lease_owner = $3 and status = 'TO SEND'
returning true;

-- name: members
-- The next customers of a list.
select customer_id from send_members
where project_id = $1 and send_id = $2 and customer_id > $3 order by customer_id limit $4;

-- name: members_of_segment
-- The next customers in a segment.
select customer_id from segment_memberships
where project_id = $1 and segment_id = $2 and is_member and customer_id > $3 order by customer_id limit $4;

-- name: entered
-- The next customers in a segment, each with what tells its entry; those who entered at a time, where one is named. Once
-- all is out, $4 is from when on others may have entered whom nobody was told of yet.
select m.customer_id, s.serial, c.epoch, m.number, m.since
from segment_memberships m
join segments s on s.project_id = m.project_id and s.segment_id = m.segment_id
join segment_customers c on c.project_id = m.project_id and c.customer_id = m.customer_id
where m.project_id = $1 and m.segment_id = $2 and m.is_member and m.customer_id > $3
  and ($4::timestamptz is null or m.since >= $4) and ($5::timestamptz is null or m.since <= $5)
order by m.customer_id limit $6;

-- name: segment_name
-- How people call a segment.
select definition::json ->> 'name' as name from segments where project_id = $1 and segment_id = $2;

-- name: sweep
-- All of a backfill is out, and it has been live for so long that every matcher knows: those who entered meanwhile are
-- looked for once more.
update sends set is_swept = true, checkpoint = '', emitted_at = null
where project_id = $1 and send_id = $2 and lease_owner = $3 and status = 'SENDING' and emitted_at is not null
  and not is_swept and started_at <= now() - $4::interval
returning true;

-- name: advance
-- The events of some members are out. It counts although it was paused or stopped meanwhile, and not where another has
-- taken over. Whether it goes on.
update sends
set checkpoint = $5, emitted = emitted + $6, lease_until = now() + $7::interval,
    emitted_at = case when $8::boolean then now() end
where project_id = $1 and send_id = $2 and lease_owner = $3 and checkpoint = $4
returning status = 'SENDING' and not $8::boolean as goes_on;

-- name: release
-- Somebody else may work on it, after a while.
update sends set lease_owner = null, lease_until = null, look_at = now() + $4::interval, waits_for = $5
where project_id = $1 and send_id = $2 and lease_owner = $3;

-- name: free
-- What an earlier process of the same name worked on.
update sends set lease_owner = null, lease_until = null where lease_owner = $1;

-- name: waiting
-- How many of its deliveries wait for their first try.
select count(*) from open_deliveries
where project_id = $1 and send_id = $2 and state = 'waiting' and attempts = 0;

-- name: held_of
-- How much of it waits outside the ledger.
select :held as held from sends s where s.project_id = $1 and s.send_id = $2;

-- name: finish
-- All of it is out, and nothing of it waits: where it came to last, a customer, is of no further use.
update sends s
set status = 'DONE', ended_at = now(), lease_owner = null, lease_until = null, waits_for = '', checkpoint = ''
where project_id = $1 and send_id = $2 and lease_owner = $3 and status = 'SENDING' and emitted_at is not null
  and (lasts_until is null or lasts_until <= now()) and :held = 0
returning owns_segment, segment_id;

-- name: open
-- Sends that are not over, over all projects.
select count(*) filter (where status = 'SENDING') as sending,
       count(*) filter (where status in ('TO SEND', 'SENDING') and starts_at <= now() and look_at <= now()
                              and (lease_until is null or lease_until < now())) as due
from sends where status in ('TO SEND', 'SENDING');

-- name: overdue
-- Sends that should have been worked on so long ago.
select send_id from sends
where status in ('TO SEND', 'SENDING') and greatest(starts_at, look_at) < now() - $1::interval
  and (lease_until is null or lease_until < now()) order by starts_at limit 1000;

-- name: using_segment
-- A send that goes to a segment and is not over.
select send_id from sends
where project_id = $1 and segment_id = $2 and status not in ('DONE', 'STOPPED') limit 1;
