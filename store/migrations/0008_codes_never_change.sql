-- Who has a code stands in publications alone: a claim writes one row, and leaves the pool and its indexes as they are.
alter table codes drop column publication_id; -- its partial index goes with it
alter table codes reset (fillfactor);

-- How many unpublished codes that are switched on end when, for the counts: most pools have few such dates, or none.
create table code_expirations (
    campaign_key    bigint      not null,
    expiration_date timestamptz not null,
    unpublished     bigint      not null,
    primary key (campaign_key, expiration_date)
) with (fillfactor = 50);

insert into code_expirations (campaign_key, expiration_date, unpublished)
select campaign_key, expiration_date, count(*)
from codes k
where active and expiration_date is not null
  and not exists (select from publications p where p.campaign_key = k.campaign_key and p.position = k.position)
group by campaign_key, expiration_date;
