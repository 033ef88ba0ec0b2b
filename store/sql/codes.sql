-- name: lock_campaigns
-- The campaigns of a batch, locked in one order.
select key from campaigns where (project_id, id) in (select * from unnest($1::text[], $2::text[])) order by key for update;

-- name: locked_pools
-- What they are after the lock: who waited for it sees what the holder has left or given back.
select c.key, c.project_id, c.id, v.definition, v.object, c.next_position, c.head, c.total, c.exhausted_version
from campaigns c join campaign_versions v on v.campaign_key = c.key and v.version = c.version
where (c.project_id, c.id) in (select * from unnest($1::text[], $2::text[]));

-- name: publications_by_id
-- What was published under these ids before, with all that its objects are made of. One look-up an id, whatever the
-- planner still believes of a table that was empty a moment ago.
select p.publication_id, p.campaign_key, p.version, p.customer_id, p.customer, p.distribution_id, p.event_id, p.channel,
       p.created_at as published_at, v.definition, v.object, k.code, k.start_date, k.expiration_date, k.value,
       k.metadata, k.created_at
from unnest($1::text[]) as asked (publication_id)
cross join lateral (select * from publications where publication_id = asked.publication_id offset 0) as p
join campaign_versions v on v.campaign_key = p.campaign_key and v.version = p.version
join codes k on k.campaign_key = p.campaign_key and k.position = p.position;

-- name: first_publications
-- The same of a customer's first publication of a campaign, for campaigns that are joined once.
select p.publication_id, p.campaign_key, p.version, p.customer_id, p.customer, p.distribution_id, p.event_id, p.channel,
       p.created_at as published_at, v.definition, v.object, k.code, k.start_date, k.expiration_date, k.value,
       k.metadata, k.created_at
from unnest($1::bigint[], $2::text[]) as asked (campaign_key, customer_id)
cross join lateral (select * from publications
                    where campaign_key = asked.campaign_key and customer_id = asked.customer_id
                    order by created_at, position limit 1) as p
join campaign_versions v on v.campaign_key = p.campaign_key and v.version = p.version
join codes k on k.campaign_key = p.campaign_key and k.position = p.position;

-- name: left_with_us
-- Of some claims those whose customers have withdrawn the consent with us, and no profile since then took that over; in
-- the words of the ledger, which stops what is on its way.
select asked.publication_id,
       asked.category || ': withdrawn by the customer on ' || to_char(c.at at time zone 'UTC', 'YYYY-MM-DD') as detail
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as asked (publication_id, project_id, customer_id, category)
cross join lateral (select min(chosen_at) as at from consent_choices
                    where project_id = asked.project_id and customer_id = asked.customer_id and not given
                      and taken_over_at is null and category in (asked.category, '*')) as c
where c.at is not null;

-- name: take_free
-- The first codes of a campaign that can be claimed now: in date, and in nobody's publication. The caller holds the
-- campaign's row. Both sides are bounded by the head, so that each is read from there on in the order of its index.
select k.position, k.code, k.start_date, k.expiration_date, k.value, k.metadata, k.created_at
from codes k
where k.campaign_key = $1 and k.position >= $2 and k.active
  and (k.start_date is null or k.start_date <= $3) and (k.expiration_date is null or k.expiration_date > $3)
  and not exists (select from publications p
                  where p.campaign_key = $1 and p.position >= $2 and p.position = k.position)
order by k.position limit $4;

-- name: add_made
-- Codes made from a pattern; one that exists anywhere in the project is left out.
insert into codes (campaign_key, position, project_id, code, active, created_at)
select $1, $2 + made.number - 1, $3, made.code, true, $5
from unnest($4::text[]) with ordinality as made (code, number)
order by made.code
on conflict (project_id, code) do nothing
returning position, code, start_date, expiration_date, value, metadata, created_at;

-- name: lock_pattern
-- Other campaigns with the same pattern wait until the transaction ends, where they would wait for each other.
select pg_advisory_xact_lock(hashtextextended($1::text || ' ' || $2::text, 0));

-- name: free_names
-- Of some codes, those that no campaign of the project has, in their order.
select made.code from unnest($2::text[]) with ordinality as made (code, number)
where not exists (select from codes k where k.project_id = $1 and k.code = made.code)
order by made.number;

-- name: count_expirations
-- Codes with a date of their own are published.
update code_expirations e set unpublished = e.unpublished - taken.count
from (select expiration_date, count(*) from unnest($2::timestamptz[]) as one (expiration_date) group by 1) as taken
where e.campaign_key = $1 and e.expiration_date = taken.expiration_date;

-- name: count_claimed
-- The exact counts after a claim, and where the next one starts to look: at the first code that may still be claimed.
-- Expired codes are kept in sight for a day, against clocks that jump.
update campaigns set
    published = published + $2, total = total + $3, next_position = next_position + $4,
    exhausted_version = case when $6 then version else exhausted_version end,
    head = coalesce(
        (select min(position) from (
            select k.position from codes k
            where k.campaign_key = $1 and k.position >= campaigns.head and k.active
              and (k.expiration_date is null or k.expiration_date > $5::timestamptz - interval '1 day')
              and not exists (select from publications p
                              where p.campaign_key = $1 and p.position >= campaigns.head and p.position = k.position)
            order by k.position limit 1) as first),
        campaigns.next_position + $4)
where key = $1;

-- name: counts
-- How full the pools are: total, published, inactive and expired, free being the rest.
select c.id, c.version, c.definition, c.total, c.published, c.inactive, c.refilled_at,
       c.exhausted_version is not distinct from c.version as is_exhausted,
       coalesce((select sum(e.unpublished) from code_expirations e
                 where e.campaign_key = c.key and e.expiration_date <= $3), 0)::bigint as expired
from campaigns c
where ($1::text is null or c.project_id = $1) and ($2::text[] is null or c.id = any($2))
order by c.project_id, c.id;

-- name: lock_campaign
-- The row of one campaign, for codes that are added to it.
select key, next_position from campaigns where project_id = $1 and id = $2 for update;

-- name: count_added
-- The exact counts after codes were added.
update campaigns set total = total + $2, next_position = next_position + $3, refilled_at = $4 where key = $1;

-- name: count_pattern
-- How many codes of a pattern a project has.
select count(*) from codes where project_id = $1 and code ~ $2;
