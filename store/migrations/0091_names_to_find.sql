-- Whatever of a project has a name, in one narrow row each, so that a search does not read all definitions. Triggers keep the
-- rows, whoever writes; the keys are made by whoever searches first (schemas/formats/search_keys.py), since SQL cannot fold
-- case and accents alike on every server.
create table names (
    project_id text   not null,
    kind       text   not null,
    id         text   not null,
    version    bigint not null, -- of the definition that it is from
    name       text   not null,
    status     text,            -- of a distribution
    name_key   text,            -- null: not made yet
    id_key     text,
    primary key (project_id, kind, id)
);
create index names_without_keys on names (project_id) where name_key is null;

create function put_name(of_project text, of_kind text, of_id text, of_version bigint, new_name text, new_status text)
returns void language sql as $$
    insert into names as known (project_id, kind, id, version, name, status)
    values (of_project, of_kind, of_id, of_version, coalesce(nullif(new_name, ''), of_id), new_status)
    on conflict (project_id, kind, id) do update
    set version = excluded.version, name = excluded.name, status = excluded.status,
        name_key = case when known.name = excluded.name then known.name_key end,
        id_key = case when known.name = excluded.name then known.id_key end
    where known.version <= excluded.version
$$;

create function keep_distribution_name() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        delete from names where project_id = old.project_id and kind = 'distribution' and id = old.distribution_id
            and version = old.version;
    else
        perform put_name(new.project_id, 'distribution', new.distribution_id, new.version, new.definition ->> 'name',
                         new.definition ->> 'status');
    end if;
    return null;
end
$$;
create trigger distribution_is_found after insert or delete or update of definition on distribution_versions
    for each row execute function keep_distribution_name();

create function keep_segment_name() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        delete from names where project_id = old.project_id and kind = 'segment' and id = old.segment_id;
    else
        perform put_name(new.project_id, 'segment', new.segment_id, new.version, new.definition ->> 'name', null);
    end if;
    return null;
end
$$;
create trigger segment_is_found after insert or delete or update of definition on segments
    for each row execute function keep_segment_name();

create function keep_campaign_name() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        delete from names where project_id = old.project_id and kind = 'campaign' and id = old.id;
    else
        perform put_name(new.project_id, 'campaign', new.id, new.version, new.definition ->> 'name', null);
    end if;
    return null;
end
$$;
create trigger campaign_is_found after insert or delete or update of definition on campaigns
    for each row execute function keep_campaign_name();

create function keep_template_name() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or new.deleted_at is not null then
        delete from names where project_id = old.project_id and kind = 'template' and id = old.name;
    else
        perform put_name(new.project_id, 'template', new.name, new.version, new.name, null);
    end if;
    return null;
end
$$;
create trigger template_is_found after insert or delete or update on named_templates
    for each row execute function keep_template_name();

insert into names (project_id, kind, id, version, name, status)
select distinct on (project_id, distribution_id) project_id, 'distribution', distribution_id, version,
       coalesce(nullif(definition ->> 'name', ''), distribution_id), definition ->> 'status'
from distribution_versions order by project_id, distribution_id, version desc;
insert into names (project_id, kind, id, version, name)
select project_id, 'segment', segment_id, version, coalesce(nullif(definition ->> 'name', ''), segment_id) from segments;
insert into names (project_id, kind, id, version, name)
select project_id, 'campaign', id, version, coalesce(nullif(definition ->> 'name', ''), id) from campaigns;
insert into names (project_id, kind, id, version, name)
select project_id, 'template', name, version, name from named_templates where deleted_at is null;
