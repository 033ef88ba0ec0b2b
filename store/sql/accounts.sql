-- name: accounts_version
-- Grows with every change of any account, and by one as the grace of a rotation ends.
select coalesce(sum(2 * version - case when retires_at > now() then 1 else 0 end), 0)::bigint from accounts;

-- name: all_accounts
-- Every account, removed ones without content.
select project_id, channel, name, state, key_id, content, changed_at, changed_by,
       case when retires_at > now() then retires_at end as retires_at
from accounts
order by project_id, channel, name;

-- name: accounts_of
-- Those of a project, without what is encrypted.
select channel, name, state, key_id, changed_at, changed_by from accounts
where project_id = $1 and state <> 'removed' order by channel, name;

-- name: get_account
-- One account.
select project_id, channel, name, state, key_id, content, changed_at, changed_by,
       case when retires_at > now() then retires_at end as retires_at
from accounts
where project_id = $1 and channel = $2 and name = $3;

-- name: lock_account
-- One account, for whoever is about to change it: one at a time.
select project_id, channel, name, state, key_id, content, changed_at, changed_by,
       case when retires_at > now() then retires_at end as retires_at
from accounts
where project_id = $1 and channel = $2 and name = $3 for update;

-- name: add_account
-- An account that is new, or was removed; no row where there is one.
insert into accounts as a (project_id, channel, name, state, key_id, content, version, changed_at, changed_by)
values ($1, $2, $3, 'active', $4, $5, 1, now(), $6)
on conflict (project_id, channel, name) do update
set state = 'active', key_id = excluded.key_id, content = excluded.content, version = a.version + 1, changed_at = now(),
    changed_by = excluded.changed_by
where a.state = 'removed'
returning state;

-- name: change_account
-- Other content for an account that is there.
update accounts set key_id = $4, content = $5, version = version + 1, changed_at = now(), changed_by = $6
where project_id = $1 and channel = $2 and name = $3 and state <> 'removed'
returning state;

-- name: begin_grace
-- For so long what an account was before goes on beside what it is now.
update accounts set retires_at = now() + $4::interval where project_id = $1 and channel = $2 and name = $3
returning retires_at;

-- name: set_state
-- Pauses or resumes an account that is there.
update accounts set state = $4, version = version + 1, changed_at = now(), changed_by = $5
where project_id = $1 and channel = $2 and name = $3 and state <> 'removed'
returning state;

-- name: remove_account
-- Forgets what an account holds. Its row stays: what waits for it is held, and senders see the change.
update accounts set state = 'removed', key_id = null, content = null, version = version + 1, changed_at = now(),
                    changed_by = $4
where project_id = $1 and channel = $2 and name = $3 and state <> 'removed'
returning state;

-- name: not_under_key
-- Accounts that are encrypted under another key than $1.
select project_id, channel, name from accounts where key_id <> $1 order by 1, 2, 3;

-- name: encrypt_again
-- The same content under another key, or with a secret that its provider renewed: nothing that senders would have to hear
-- of.
update accounts set key_id = $4, content = $5 where project_id = $1 and channel = $2 and name = $3;

-- name: hold_destination
-- Pauses a destination because of its account, where that is held still (whoever resumes it locks its row first), or
-- with $6 in any case.
insert into paused_destinations (project_id, channel, destination, reason, kind, paused_at)
select $1, $2, $4, $5, 'account', now() from accounts a
where a.project_id = $1 and a.channel = $2 and a.name = $3 and (a.state <> 'active' or $6)
for share of a
on conflict do nothing
returning destination;

-- name: release_destinations
-- Sends again to what of a project is paused for one of the reasons in $4: to $3, or, where that is null, to all that
-- have no account of their own which holds them.
delete from paused_destinations d
where project_id = $1 and channel = $2 and kind = any($4::text[])
  and case when $3::text is not null then destination = $3 or $2 = 'webhook' and lower(destination) = $3
           else not exists (select from accounts a
                            where a.project_id = $1 and a.channel = $2 and a.name = lower(d.destination)
                              and a.state <> 'active') end;
