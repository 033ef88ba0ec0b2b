-- A destination is a project's: another project's account of the same name has its own pace and pauses.
-- What is paused is so for the default project, and for each that has something open for it: all of them sent there.
alter table paused_destinations add column project_id text, drop constraint paused_destinations_pkey;
insert into paused_destinations (project_id, channel, destination, reason, paused_at)
select distinct d.project_id, p.channel, p.destination, p.reason, p.paused_at
from paused_destinations p
join open_deliveries d on d.channel = p.channel and d.destination = p.destination
where d.project_id <> (select default_project from deployment);
update paused_destinations set project_id = (select default_project from deployment) where project_id is null;
alter table paused_destinations add primary key (project_id, channel, destination);

-- Senders look at these for an hour, and ask everybody anew when they start.
delete from hurried_destinations;
alter table hurried_destinations add column project_id text not null, drop constraint hurried_destinations_pkey,
    add primary key (project_id, channel, destination);

drop index open_deliveries_free;
create index open_deliveries_free on open_deliveries (project_id, channel, destination, lane, due_at, delivery_id)
    where state = 'waiting' and lease_owner is null;
