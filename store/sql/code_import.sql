-- name: lock_pool
-- The row of the campaign that codes are added to.
select key, next_position from campaigns where project_id = $1 and id = $2 for update;

-- name: make_incoming
-- Where a batch stands before it is merged; gone when the transaction ends, since the session may be another's then.
create temp table incoming_codes (
    number          int         not null,
    line            bigint      not null,
    code            text        not null,
    active          boolean     not null,
    start_date      timestamptz,
    expiration_date timestamptz,
    value           bigint,
    metadata        text        not null
) on commit drop;

-- name: add_incoming
-- The codes of a batch that the project does not have, at positions in the order of the batch; added in the order of
-- the codes, so that two who add the same do not wait for each other. The new ones are counted by their dates.
with added as (
    insert into codes (campaign_key, position, project_id, code, active, start_date, expiration_date, value, metadata,
                       created_at)
    select $1, $2 + number, $3, code, active, start_date, expiration_date, value, metadata::jsonb, $4
    from incoming_codes
    order by code, number
    on conflict (project_id, code) do nothing
    returning active, expiration_date
), expirations as (
    insert into code_expirations (campaign_key, expiration_date, unpublished)
    select $1, expiration_date, count(*) from added where active and expiration_date is not null group by 2
    on conflict (campaign_key, expiration_date) do update
        set unpublished = code_expirations.unpublished + excluded.unpublished
)
select count(*) as added, count(*) filter (where not active) as inactive from added;

-- name: count_incoming
-- The exact counts after a batch.
update campaigns set total = total + $2, inactive = inactive + $3, next_position = next_position + $4, refilled_at = $5
where key = $1;

-- name: count_doubles
-- How many codes of a batch were left out: those of the same import, and those that were there before. The limit keeps
-- the planner, which knows nothing of the batch, from reading the whole pool for it.
select count(*) filter (where k.campaign_key = $1 and k.position >= $4) as in_file,
       count(*) filter (where not (k.campaign_key = $1 and k.position >= $4)) as in_project
from incoming_codes i
cross join lateral (select campaign_key, position from codes where project_id = $3 and code = i.code limit 1) as k
where not (k.campaign_key = $1 and k.position = $2 + i.number);

-- name: doubles
-- The first of them.
select i.line, i.code, k.campaign_key = $1 and k.position >= $4 as in_file, c.id as campaign_id
from incoming_codes i
cross join lateral (select campaign_key, position from codes where project_id = $3 and code = i.code limit 1) as k
join campaigns c on c.key = k.campaign_key
where not (k.campaign_key = $1 and k.position = $2 + i.number)
order by i.number limit $5;
