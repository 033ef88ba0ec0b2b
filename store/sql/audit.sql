-- name: lock_chain
-- One transaction at a time continues the chain of a project, until it ends.
select pg_advisory_xact_lock(hashtextextended('audit_log ' || $1, 0));

-- name: end_of_chain
-- The time, and the last row of the chain where it has one; asked once the lock is held.
select clock.at, newest.position, newest.hash
from (select clock_timestamp() as at) clock
left join lateral (
    select position, hash from audit_log where project_id = $1 order by position desc limit 1
) newest on true;

-- name: add
-- The next row of a chain.
insert into audit_log
    (project_id, position, at, actor, action, thing, version, change, request_id, key_id, address, hash)
values ($1, $2, $3, $4, $5, $6, $7, $8::text::json, $9, $10, $11, $12);

-- name: page
-- Rows of a project that fit, the newest first, before a position.
select position, at, actor, action, thing, version, change::text as change, request_id, key_id, address, hash
from audit_log
where project_id = $1 and ($2::bigint is null or position < $2)
  and ($3::text is null or thing = $3) and ($4::text is null or actor = $4)
  and ($5::text[] is null or action = any($5))
  and ($6::timestamptz is null or at >= $6) and ($7::timestamptz is null or at < $7)
order by position desc limit $8;

-- name: chain
-- Rows of a project in the order of their chain, behind a position.
select position, at, actor, action, thing, version, change::text as change, request_id, key_id, address, hash
from audit_log where project_id = $1 and position > $2 order by position limit $3;
