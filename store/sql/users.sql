-- name: lock
-- One transaction at a time changes users, until it ends: so that two admins do not remove each other.
select pg_advisory_xact_lock(hashtextextended('users', 0));

-- name: member
-- A user as one project sees them: of who is invited, nothing but what the project itself said.
r.project_id, u.user_id, u.email, r.role, r.granted_by, r.granted_at, r.accepted_at,
case when r.accepted_at is null then 'invited' else u.state end as state,
case when r.accepted_at is not null then u.display_name end as display_name,
case when r.accepted_at is not null then u.last_signed_in_at end as last_signed_in_at

-- name: members_of_project
-- Every user of a project.
select :member from user_roles r join users u on u.user_id = r.user_id
where r.project_id = $1 order by r.granted_at, u.user_id;

-- name: find_member
-- The user of a project that has this id, or this address.
select :member from user_roles r join users u on u.user_id = r.user_id
where r.project_id = $1 and (u.user_id = $2 or u.email_key = $3);

-- name: find_user
-- The user that has this id, or this address, whichever projects they are in.
select user_id, email, display_name, state, password_hash from users where user_id = $1 or email_key = $2;

-- name: is_empty
-- True where nobody is there.
select not exists (select from users);

-- name: active_admins
-- Those who can sign in and administer a project.
select u.user_id from user_roles r join users u on u.user_id = r.user_id
where r.project_id = $1 and r.role = 'admin' and r.accepted_at is not null
  and u.state = 'active' and u.password_hash is not null;

-- name: roles_of_user
-- The projects that a user is in, with the role in each; those that they are only invited to are not among them.
select project_id, role from user_roles where user_id = $1 and accepted_at is not null order by project_id;

-- name: granted_roles
-- The same, with who gave each.
select project_id, role, granted_by from user_roles where user_id = $1 and accepted_at is not null order by project_id;

-- name: add_user
-- A new user. No row: somebody has the address.
insert into users (user_id, email, email_key, display_name) values ($1, $2, $3, $4)
on conflict (email_key) do nothing
returning user_id;

-- name: put_role
-- A user's role in a project; who is invited already is invited anew.
insert into user_roles (project_id, user_id, role, granted_by, accepted_at)
values ($1, $2, $3, $4, case when $5 then now() end)
on conflict (project_id, user_id) do update
set role = excluded.role, granted_by = excluded.granted_by, granted_at = excluded.granted_at,
    accepted_at = excluded.accepted_at;

-- name: accept_role
-- Somebody who is invited comes.
update user_roles set accepted_at = now() where project_id = $1 and user_id = $2 and accepted_at is null
returning role;

-- name: change_role
-- Another role in a project.
update user_roles set role = $3 where project_id = $1 and user_id = $2;

-- name: set_state
-- Disables or enables a user.
update users set state = $2 where user_id = $1;

-- name: set_password
-- The hash of a new password.
update users set password_hash = $2 where user_id = $1;

-- name: hash_again
-- The hash of the same password by what is usual now; not where another password was set meanwhile.
update users set password_hash = $3 where user_id = $1 and password_hash = $2;

-- name: drop_role
-- Takes a user out of a project.
delete from user_roles where project_id = $1 and user_id = $2;

-- name: drop_user
-- Forgets a user who is in no project and invited to none.
delete from users u where user_id = $1 and not exists (select from user_roles r where r.user_id = u.user_id);

-- name: add_link
-- A link that is used once. Forgets those that are over.
with forgotten as (delete from user_links where expires_at < now())
insert into user_links (token_hash, project_id, user_id, purpose, is_operators, created_by, expires_at)
values ($1, $2, $3, $4, $5, $6, now() + $7::interval)
returning expires_at;

-- name: drop_links
-- Ends the links of one purpose that a user has from a project.
delete from user_links where user_id = $1 and project_id = $2 and purpose = $3;

-- name: drop_all_links
-- Ends every link of one purpose of a user.
delete from user_links where user_id = $1 and purpose = $2;

-- name: somebody
-- True of a user who has proved to be one before: who is only invited has no password, no identity and no project.
u.password_hash is not null
or exists (select from user_identities i where i.user_id = u.user_id)
or exists (select from user_roles r where r.user_id = u.user_id and r.accepted_at is not null)

-- name: find_link
-- A link that is not over, and whose it is.
select l.project_id, l.user_id, l.purpose, l.is_operators, l.created_by, u.email,
       coalesce(u.password_hash is not null, false) as has_password,
       coalesce(:somebody, false) as is_somebody
from user_links l left join users u on u.user_id = l.user_id
where l.token_hash = $1 and l.expires_at > now();

-- name: is_somebody
-- The same of one user.
select :somebody from users u where u.user_id = $1;

-- name: invitations
-- The projects that a user is invited to by a link that is not over.
select l.project_id from user_links l join user_roles r on r.project_id = l.project_id and r.user_id = l.user_id
where l.user_id = $1 and l.purpose = 'invitation' and l.expires_at > now() and r.accepted_at is null
order by l.project_id;

-- name: take_link
-- Uses a link up.
delete from user_links where token_hash = $1 and expires_at > now() returning token_hash;
