-- Whose memberships a statement changed stands in one row for all of them, up to a thousand, not in one for each customer:
-- these were written and deleted one by one, twice of who left one segment for another, since a statement's new rows and
-- its changed ones are noted apart.
alter table membership_changes add column customer_ids text[], add column customers integer; -- how many that are
update membership_changes set customer_ids = array[customer_id], customers = 1;
alter table membership_changes
    drop column customer_id, alter column customer_ids set not null, alter column customers set not null;

create or replace function note_membership_changes() returns trigger language plpgsql as $$
begin
    insert into membership_changes (project_id, customer_ids, customers)
    select project_id, array_agg(customer_id), count(*)
    from (
        select project_id, customer_id, (row_number() over (order by project_id, customer_id) - 1) / 1000 as part
        from changed group by project_id, customer_id
    ) one
    group by project_id, part order by project_id, part;
    return null;
end $$;
