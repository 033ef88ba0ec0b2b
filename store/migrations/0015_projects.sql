-- The project that keys of ids alone belong to: that of the settings when this was applied, and never another one.
create table deployment (
    is_the_only_one boolean primary key default true check (is_the_only_one),
    default_project text    not null
);
insert into deployment (default_project) values (current_setting('tidings.default_project'));

alter table distribution_versions drop constraint distribution_versions_pkey,
    add primary key (project_id, distribution_id, version);

-- Whose the rows are that name no project: in one pass over the catalogue, not over the table.
do $$
declare of_customers text;
begin
    for of_customers in select unnest(array['segment_customers', 'segment_memberships', 'segment_unjudged']) loop
        execute format('alter table %I add column project_id text not null default %L',
                       of_customers, current_setting('tidings.default_project'));
        execute format('alter table %I alter column project_id drop default', of_customers);
    end loop;
end $$;

alter table segment_memberships drop constraint segment_memberships_segment_id_fkey, drop constraint segment_memberships_pkey;
alter table segment_unjudged drop constraint segment_unjudged_segment_id_fkey, drop constraint segment_unjudged_pkey;

update segment_memberships m set project_id = s.project_id
from segments s where s.segment_id = m.segment_id and s.project_id <> m.project_id;
update segment_unjudged u set project_id = s.project_id
from segments s where s.segment_id = u.segment_id and s.project_id <> u.project_id;

alter table segments drop constraint segments_pkey, add primary key (project_id, segment_id);
alter table segment_customers drop constraint segment_customers_pkey, add primary key (project_id, customer_id);
alter table segment_memberships add primary key (project_id, customer_id, segment_id),
    add foreign key (project_id, segment_id) references segments on delete cascade;
alter table segment_unjudged add primary key (project_id, customer_id, segment_id),
    add foreign key (project_id, segment_id) references segments on delete cascade;

drop index segment_members;
create index segment_members on segment_memberships (project_id, segment_id, customer_id) include (since) where is_member;
drop index segment_unjudged_of;
create index segment_unjudged_of on segment_unjudged (project_id, segment_id, customer_id);

-- What they are called on the topic.
alter table segment_outbox rename column customer_ids to keys;
