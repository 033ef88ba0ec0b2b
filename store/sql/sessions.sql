-- name: begin
-- A session of somebody who has proved the password that is theirs still, may sign in, and is in a project. Their row is
-- locked as whatever changes it locks it. Forgets sessions that are over.
with forgotten as (
    delete from sessions where ctid = any(array(
        select ctid from sessions where ends_at < now() limit 100 for update skip locked
    ))
)
insert into sessions (session_hash, session_id, user_id, ends_at, network, agent)
select $1, $2, u.user_id, now() + $5::interval, $6, $7
from users u
where u.user_id = $3 and u.state = 'active' and u.password_hash = $4
  and exists (select from user_roles r where r.user_id = u.user_id and r.accepted_at is not null)
for no key update of u
returning session_id;

-- name: begin_by_identity
-- The same of somebody whom an issuer names, who is linked to its subject still.
with forgotten as (
    delete from sessions where ctid = any(array(
        select ctid from sessions where ends_at < now() limit 100 for update skip locked
    ))
)
insert into sessions
    (session_hash, session_id, user_id, ends_at, network, agent, provider_issuer, provider_subject, provider_hint,
     provider_sid)
select $1, $2, u.user_id, now() + $4::interval, $5, $6, $7, $8, $9, $10
from users u
where u.user_id = $3 and u.state = 'active'
  and exists (select from user_identities i where i.user_id = u.user_id and i.issuer = $7 and i.subject = $8)
  and exists (select from user_roles r where r.user_id = u.user_id and r.accepted_at is not null)
for no key update of u
returning session_id;

-- name: begin_by_passkey
-- The same of somebody who has a passkey still, and no role that this one gave.
with forgotten as (
    delete from sessions where ctid = any(array(
        select ctid from sessions where ends_at < now() limit 100 for update skip locked
    ))
)
insert into sessions (session_hash, session_id, user_id, ends_at, network, agent)
select $1, $2, u.user_id, now() + $4::interval, $5, $6
from users u
where u.user_id = $3 and u.state = 'active'
  and exists (select from passkeys p where p.user_id = u.user_id and p.passkey_id = $7)
  and exists (select from user_roles r where r.user_id = u.user_id and r.accepted_at is not null)
  and not exists (select from user_roles r where r.user_id = u.user_id and r.accepted_at is not null and r.granted_by = $8)
for no key update of u
returning session_id;

-- name: note_sign_in
-- When somebody signed in last.
update users set last_signed_in_at = now() where user_id = $1;

-- name: note_network
-- Somebody signed in from there. Forgets where they have not been for long.
with forgotten as (
    delete from sign_in_networks where user_id = $1 and network <> $2 and last_at < now() - interval '90 days'
)
insert into sign_in_networks (user_id, network) values ($1, $2)
on conflict (user_id, network) do update set last_at = now();

-- name: session
-- A session as people see it.
s.session_id, s.user_id, s.began_at, s.used_at, s.ends_at, s.network, s.agent

-- name: check_session
-- A session that is not over, and whose it is.
select :session, u.email, u.display_name, s.used_at < now() - interval '1 minute' as is_use_old
from sessions s join users u on u.user_id = s.user_id
where s.session_hash = $1 and s.ends_at > now() and s.used_at > now() - $2::interval and u.state = 'active';

-- name: provider_hint
-- What proves to an OpenID provider whose session it is; null of one that began otherwise.
select provider_hint from sessions where session_id = $1;

-- name: note_use
-- A session is used; written at most once a minute.
update sessions set used_at = now() where session_id = $1 and used_at < now() - interval '1 minute';

-- name: sessions_of_user
-- Those that are not over, the newest first.
select :session from sessions s
where s.user_id = $1 and s.ends_at > now() and s.used_at > now() - $2::interval order by s.began_at desc, s.session_id;

-- name: end_session
-- Ends one.
delete from sessions where user_id = $1 and session_id = $2 returning session_id;

-- name: end_sessions
-- Ends all of a user, but for one where it is named.
delete from sessions where user_id = $1 and session_id is distinct from $2 returning session_id;

-- name: use_logout_token
-- A provider's token is used up. No row: it was already. Forgets those that are over.
with forgotten as (
    delete from oidc_logout_tokens where ctid = any(array(
        select ctid from oidc_logout_tokens where ends_at < now() limit 100 for update skip locked
    ))
)
insert into oidc_logout_tokens (token_hash, ends_at) values ($1, $2) on conflict do nothing returning token_hash;

-- name: end_by_provider
-- Ends those that began by a provider: of a subject, of one of its own sessions, or of that session of the subject: then
-- also those for which it named no session, since some name it in logout tokens alone.
delete from sessions
where provider_issuer = $1
  and ($2::text is null or provider_subject = $2)
  and ($3::text is null or provider_sid = $3 or ($2::text is not null and provider_sid is null))
returning user_id;
