-- That a membership's segment is there is checked once a statement: by a foreign key it was once a row, which was half of
-- what a new membership costs. What it held holds on: no membership without its segment, which goes with all of its own.
alter table segment_memberships drop constraint segment_memberships_project_id_segment_id_fkey;

-- Segments stay locked against removal until the memberships are kept; one that is removed meanwhile is waited for.
create function segments_of_memberships_are_there() returns trigger language plpgsql as $$
declare
    gone text;
begin
    with wanted as materialized (
        select distinct project_id, segment_id from changed
    ), there as materialized (
        select s.project_id, s.segment_id from segments s join wanted using (project_id, segment_id) for key share of s
    )
    select segment_id into gone from wanted left join there using (project_id, segment_id)
    where there.segment_id is null limit 1;
    if found then
        raise exception 'segment % is not there', gone using errcode = 'foreign_key_violation';
    end if;
    return null;
end $$;
create trigger memberships_have_segments after insert on segment_memberships referencing new table as changed
    for each statement execute function segments_of_memberships_are_there();

create function remove_memberships_of_segments() returns trigger language plpgsql as $$
begin
    delete from segment_memberships m using gone g where m.project_id = g.project_id and m.segment_id = g.segment_id;
    return null;
end $$;
create trigger memberships_go_with_segments after delete on segments referencing old table as gone
    for each statement execute function remove_memberships_of_segments();
