-- name: begin_request
-- The first request with a key goes on; what was left behind by a process that is gone, and what is too old, is begun anew.
insert into api_replies (project_id, key_id, idempotency_key, request_hash) values ($1, $2, $3, $4)
on conflict (project_id, key_id, idempotency_key) do update
set request_hash = excluded.request_hash, begun_at = now(), status = null, headers = null, body = null
where api_replies.begun_at < now() - $5::interval
   or (api_replies.status is null and api_replies.begun_at < now() - $6::interval)
returning begun_at;

-- name: known_request
-- The request that had this key before.
select request_hash, status, headers, body from api_replies
where project_id = $1 and key_id = $2 and idempotency_key = $3;

-- name: keep_reply
-- The reply that the same request gets again. Not where somebody else has begun it anew since.
update api_replies set status = $5, headers = $6, body = $7
where project_id = $1 and key_id = $2 and idempotency_key = $3 and begun_at = $4;

-- name: forget_request
-- Nothing came of it: the same may be tried again.
delete from api_replies
where project_id = $1 and key_id = $2 and idempotency_key = $3 and begun_at = $4 and status is null;

-- name: drop_old_replies
-- Some of those that are given no longer.
delete from api_replies where ctid = any (array(
    select ctid from api_replies where begun_at < now() - $1::interval limit 100
));
