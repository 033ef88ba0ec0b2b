-- Ends of deliveries are found by their delivery, and by their customer where somebody is exported or erased. Nothing asks for
-- them by distribution (counts answer that) or by event (decisions do, which name the delivery), and each index is a good part
-- of what it costs to record a row.
drop index recorded_statuses_of_distribution, recorded_statuses_of_event;
drop index rebuilt_statuses_project_id_distribution_id_event_at_idx, rebuilt_statuses_project_id_event_id_idx;

-- Counts are written again with every chunk that has more of their minute. With room in their pages that costs nothing in the
-- index, which is wide.
create or replace function make_days_of(parent text, days date[]) returns void language plpgsql as $$
declare
    one date;
    name text;
    room text := case when parent like '%\_by\_minute' then ' with (fillfactor = 40)' else '' end;
begin
    foreach one in array days loop
        name := parent || '_' || to_char(one, 'YYYYMMDD');
        if not has_recorded_day(parent, name) then
            perform pg_advisory_xact_lock(hashtextextended('recorded', 0));
            if not has_recorded_day(parent, name) then
                execute format('create table %I (like %I including defaults)', name, parent) || room;
                execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, name, one, one + 1);
            end if;
        end if;
    end loop;
end
$$;
