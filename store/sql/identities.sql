-- name: begin_attempt
-- A sign-in by the provider begins. Forgets those that are over.
with forgotten as (
    delete from oidc_attempts where ctid = any(array(
        select ctid from oidc_attempts where ends_at < now() limit 100 for update skip locked
    ))
)
insert into oidc_attempts (state_hash, browser_hash, nonce, verifier, next_page, session_id, ends_at)
values ($1, $2, $3, $4, $5, $6, now() + $7::interval);

-- name: take_attempt
-- Uses one up, in the browser that began it.
delete from oidc_attempts where state_hash = $1 and browser_hash = $2 and ends_at > now()
returning nonce, verifier, next_page, session_id;

-- name: find_identity
-- The user whom an issuer knows by a subject.
select u.user_id, u.email, u.display_name, u.state, u.password_hash
from user_identities i join users u on u.user_id = i.user_id
where i.issuer = $1 and i.subject = $2;

-- name: is_linked
-- True where a user is known to an issuer.
select exists (select from user_identities where user_id = $1 and issuer = $2);

-- name: link
-- An issuer's subject is a user from now on. No row: it is another's, or the user is known to the issuer otherwise.
insert into user_identities (issuer, subject, user_id) values ($1, $2, $3)
on conflict do nothing returning user_id;

-- name: unlink
-- An issuer's subject is nobody any more.
delete from user_identities where user_id = $1 and issuer = $2 returning user_id;
