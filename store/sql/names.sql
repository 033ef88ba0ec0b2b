-- name: lacks_name_keys
-- Whether keys of a project's things are to be made.
select exists (select from names where project_id = $1 and name_key is null);

-- name: names_without_keys
-- Things of a project whose keys are not made, but for those that somebody is changing: nobody may wait for a search that
-- waits for them.
select kind, id, name from names where project_id = $1 and name_key is null for no key update skip locked;

-- name: make_name_keys_alone
-- Whoever else makes them waits until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('names of ' || $1, 0));

-- name: keep_name_keys
-- Keys of things, by kind ($2) and id ($3).
update names n set name_key = k.name_key, id_key = k.id_key
from unnest($2::text[], $3::text[], $4::text[], $5::text[]) as k (kind, id, name_key, id_key)
where n.project_id = $1 and n.kind = k.kind and n.id = k.id;

-- name: find_names
-- Things of some kinds ($2) with all words in their keys ($4, as patterns), at most $6 of a kind: first what is what is
-- sought ($3), then what begins so, then what has words that do ($5), then the rest, each by id; and how many there are.
with fit as (
    select kind, id, name, status,
           case when $3 in (name_key, id_key) then 0
                when starts_with(name_key, $3) or starts_with(id_key, $3) then 1
                when ' ' || translate(name_key || ' ' || id_key, '-_', '  ') like all($5::text[]) then 2
                else 3 end as rank
    from names
    where project_id = $1 and kind = any($2) and name_key || ' ' || id_key like all($4::text[])
), ranked as (
    select kind, id, name, status, row_number() over (partition by kind order by rank, id) as place,
           count(*) over (partition by kind) as number
    from fit
)
select kind, id, name, status, number from ranked where place <= $6 order by kind, place;
