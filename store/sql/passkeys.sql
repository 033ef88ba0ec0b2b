-- name: passkey
-- A passkey as its owner sees it.
p.passkey_id, p.user_id, p.name, p.is_synced, p.added_at, p.used_at

-- name: passkeys_of_user
-- Those of a user, the oldest first.
select :passkey from passkeys p where p.user_id = $1 order by p.added_at, p.passkey_id;

-- name: credentials_of_user
-- The names that devices have for them.
select credential_id from passkeys where user_id = $1 order by added_at, passkey_id;

-- name: find_credential
-- A passkey with what proves it, and whose it is.
select p.passkey_id, p.user_id, p.public_key, p.sign_count, u.email_key, u.state
from passkeys p join users u on u.user_id = p.user_id
where p.credential_id = $1;

-- name: begin_sign_in
-- A browser is asked to sign. Forgets what is over.
with forgotten as (
    delete from passkey_challenges where ctid = any(array(
        select ctid from passkey_challenges where ends_at < now() limit 100 for update skip locked
    ))
)
insert into passkey_challenges (challenge_hash, browser_hash, ends_at) values ($1, $2, now() + $3::interval);

-- name: begin_adding
-- A session is asked to sign, for a passkey of this name. No row: it began too long ago, where that matters.
with forgotten as (
    delete from passkey_challenges where ctid = any(array(
        select ctid from passkey_challenges where ends_at < now() limit 100 for update skip locked
    ))
)
insert into passkey_challenges (challenge_hash, session_id, name, ends_at)
select $1, s.session_id, $3, now() + $4::interval
from sessions s where s.session_id = $2 and ($5::interval is null or s.began_at > now() - $5::interval)
returning session_id;

-- name: take_sign_in
-- Uses one up, in the browser that was asked.
delete from passkey_challenges where challenge_hash = $1 and browser_hash = $2 and ends_at > now()
returning challenge_hash;

-- name: take_adding
-- Uses one up, in the session that was asked; the name of the passkey.
delete from passkey_challenges where challenge_hash = $1 and session_id = $2 and ends_at > now()
returning name;

-- name: has_roles_of
-- True of somebody who has a role that this one gave.
select exists (select from user_roles where user_id = $1 and granted_by = $2 and accepted_at is not null);

-- name: add_passkey
-- Another one. No row: it is there already, or there are so many that no more are taken.
insert into passkeys (credential_id, passkey_id, user_id, name, public_key, sign_count, is_synced)
select $1, $2, u.user_id, $4, $5, $6, $7
from users u
where u.user_id = $3 and u.state = 'active'
  and (select count(*) from passkeys p where p.user_id = u.user_id) < $8
on conflict do nothing
returning passkey_id;

-- name: remove_passkey
-- One is worth nothing any more.
delete from passkeys where user_id = $1 and passkey_id = $2 returning name;

-- name: note_passkey_use
-- One has signed. No row: it is gone, or its count has not gone on since it was looked at.
update passkeys set sign_count = $3, used_at = now()
where credential_id = $1 and user_id = $2 and (sign_count < $3 or (sign_count = 0 and $3 = 0))
returning passkey_id;
