-- Counts of recorded decisions and ends of deliveries, by the minute.

-- name: dimensions
-- What counts are kept apart by; null for what is summed. $6 names them.
       date_trunc($7::text, minute, $8::text) as at,
       case when 'distribution' = any($6::text[]) then distribution_id end as distribution,
       case when 'send' = any($6) then send_id end as send,
       outcome,
       case when 'reason' = any($6) then reason end as reason,
       case when 'channel' = any($6) then channel end as channel,
       case when 'arm' = any($6) then arm end as arm,
       sum(count)::bigint as count

-- name: asked
-- Counts of a project in a range of minutes, of a distribution or a send. Days are named so that others are not looked into;
-- beyond them stands what came when its day was too far ahead.
project_id = $1 and minute >= $2::timestamptz and ($3::timestamptz is null or minute < $3)
  and (day >= ($2 at time zone 'UTC')::date and ($3 is null or day <= ($3 at time zone 'UTC')::date) or day = 'infinity')
  and ($4::text[] is null or distribution_id = any($4)) and ($5::text is null or send_id = $5)

-- name: decisions
-- Decisions, summed over sources; $9 at most, null for all.
select :dimensions from recorded_decisions_by_minute where :asked
group by 1, 2, 3, 4, 5, 6, 7 having sum(count) <> 0 order by 1, 2, 3, 4, 5, 6, 7
limit $9;

-- name: statuses
-- Ends of deliveries, and what was reported of them, summed over sources; $9 at most.
select :dimensions from recorded_statuses_by_minute where :asked
group by 1, 2, 3, 4, 5, 6, 7 having sum(count) <> 0 order by 1, 2, 3, 4, 5, 6, 7
limit $9;
