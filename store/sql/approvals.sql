-- name: newest_rule
-- The newest version of a distribution.
select definition from distribution_versions where project_id = $1 and distribution_id = $2 order by version desc limit 1;

-- name: segment
-- A segment as it is defined, which nobody changes until the end of the transaction.
select definition from segments where project_id = $1 and segment_id = $2 for share;

-- name: campaign
-- A campaign as it is defined, which nobody changes until the end of the transaction.
select definition from campaigns where project_id = $1 and id = $2 for share;

-- name: approval
-- The newest approval of a send.
select approved_by, approved_at, audience, parts from send_approvals where project_id = $1 and send_id = $2;

-- name: authors
-- Whoever drew a send up, or edited it.
select distinct actor from send_actions where project_id = $1 and send_id = $2 and action in ('draft', 'edit');

-- name: approve
-- Somebody approves of a send as it is now: in place of an earlier approval.
insert into send_approvals (project_id, send_id, approved_by, approved_at, audience, parts)
values ($1, $2, $3, now(), $4, $5)
on conflict (project_id, send_id) do update set
    approved_by = excluded.approved_by, approved_at = excluded.approved_at, audience = excluded.audience,
    parts = excluded.parts;

-- name: look_at_once
-- A send that waits for its approval no longer does.
update sends set look_at = now() where project_id = $1 and send_id = $2 and status = 'TO SEND';
