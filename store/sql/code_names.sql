-- name: make_names
-- The codes of a file, gone again when the transaction ends.
create temp table code_names (line bigint not null, code text collate "C" not null, folded text collate "C" not null)
on commit drop;

-- name: analyze_names
-- The planner knows nothing else of a table that was just filled.
analyze code_names;

-- name: make_other_names
-- Codes of the project that the database does not fold as we do.
create temp table other_names (campaign_key bigint not null, code text collate "C" not null,
                               folded text collate "C" not null)
on commit drop;

-- name: other_codes
-- Those are the ones beyond ASCII.
select campaign_key, code from codes where project_id = $1 and octet_length(code) <> char_length(code);

-- name: alike
-- Codes of the file that are the same as one above them, or as one of the project that is not in the file, but for what
-- folding takes away; how many, and the first of them.
with in_file as (
    select line, code, other from (
        select line, code, first_value(code) over (partition by folded order by line) as other
        from code_names
        where folded in (select folded from code_names group by folded having min(code) <> max(code))) as spelled
    where code <> other
), others as (
    select campaign_key, code, folded from other_names
    union all
    select campaign_key, code collate "C",
           case when translate(code, '0123456789', '') = '' then ltrim(code, '0') else lower(code collate "C") end
    from codes
    where project_id = $1 and octet_length(code) = char_length(code)
), in_project as (
    select n.line, n.code, o.code as other, o.campaign_key
    from code_names n join others o on o.folded = n.folded and o.code <> n.code
    where not exists (select from code_names s where s.code = o.code)
), found as (
    select distinct on (line) line, code, other, campaign_key
    from (select line, code, other, null::bigint as campaign_key from in_file
          union all
          select line, code, other, campaign_key from in_project) as pairs
    order by line, campaign_key nulls first, other
)
select count(*) over () as total, f.line, f.code, f.other, c.id as campaign_id
from found f left join campaigns c on c.key = f.campaign_key
order by f.line limit $2;
