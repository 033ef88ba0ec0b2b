-- Customers whose memberships Kafka has to be told, in any order: what is told is what is there by then.
create table membership_changes (
    id          bigint generated always as identity primary key,
    project_id  text not null,
    customer_id text not null
);

-- How far the telling is. The row is locked by who tells, so that of one customer's records the later says what is newer.
create table membership_telling (
    is_the_only_one boolean primary key default true check (is_the_only_one),
    revision        bigint  not null default 0,
    complete_after  bigint  not null, -- the last change that has to be told before all is told that was known at the start
    complete_on     integer not null default 0 -- partitions of the topic that were told so
);

-- Whoever is in a segment now; nobody changes that in between.
lock table segment_memberships in share row exclusive mode;
insert into membership_changes (project_id, customer_id)
select project_id, customer_id from segment_memberships where is_member
group by project_id, customer_id order by project_id, customer_id;
insert into membership_telling (complete_after) select coalesce(max(id), 0) from membership_changes;

-- Each way of changing memberships notes it: a change of a profile, time, a computation, a segment that is deleted, an
-- erasure, and a process of an earlier release that still runs.
create function note_membership_changes() returns trigger language plpgsql as $$
begin
    insert into membership_changes (project_id, customer_id)
    select project_id, customer_id from changed group by project_id, customer_id;
    return null;
end $$;
create trigger memberships_inserted after insert on segment_memberships referencing new table as changed
    for each statement execute function note_membership_changes();
create trigger memberships_updated after update on segment_memberships referencing new table as changed
    for each statement execute function note_membership_changes();
create trigger memberships_deleted after delete on segment_memberships referencing old table as changed
    for each statement execute function note_membership_changes();
