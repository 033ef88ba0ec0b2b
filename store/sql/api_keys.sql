-- name: add_key
-- A new key. No row: one of that name is in use.
insert into api_keys (key_hash, project_id, key_id, name, kind, role, created_by, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, now() + $8::interval)
on conflict (project_id, name) where revoked_at is null do nothing
returning project_id, key_id, name, kind, role, created_by, created_at, expires_at, last_used_at, revoked_by, revoked_at;

-- name: keys_of_project
-- Every key of a project, the newest first, those that are over as well.
select project_id, key_id, name, kind, role, created_by, created_at, expires_at, last_used_at, revoked_by, revoked_at,
       expires_at <= now() as is_expired
from api_keys where project_id = $1 order by created_at desc, key_id;

-- name: revoke_key
-- Ends a key, by its id or its name; who ended it first stays.
update api_keys set revoked_by = $3, revoked_at = now()
where project_id = $1 and (key_id = $2 or name = $2) and revoked_at is null
returning project_id, key_id, name, kind, role, created_by, created_at, expires_at, last_used_at, revoked_by, revoked_at;

-- name: check_key
-- A key that may be used now, and how often this address failed of late; one row, in which the key may be missing.
select k.project_id, k.key_id, k.name, k.kind, k.role,
       coalesce(k.last_used_at < now() - interval '1 minute', true) as is_use_old,
       coalesce(f.failures, 0) as failures,
       ceil(extract(epoch from s.slot + $3::interval - now()))::int as window_ends_in
from (select date_bin($3::interval, now(), timestamptz '2000-01-01') as slot) s
left join api_keys k on k.key_hash = $1 and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
left join api_failures f on f.address = $2 and f.slot = s.slot;

-- name: note_use
-- A key is used; written at most once a minute, whoever asks.
update api_keys set last_used_at = now()
where key_hash = $1 and coalesce(last_used_at < now() - interval '1 minute', true);

-- name: count_failure
-- One more attempt of an address that proved nothing. Forgets those of earlier windows.
with forgotten as (delete from api_failures where slot < now() - interval '1 hour')
insert into api_failures (address, slot, failures)
values ($1, date_bin($2::interval, now(), timestamptz '2000-01-01'), 1)
on conflict (address, slot) do update set failures = api_failures.failures + 1;
