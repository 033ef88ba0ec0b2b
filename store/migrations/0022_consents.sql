-- The consents of customers as `customers` has them: so that one who withdraws after the decision gets nothing more.
create table consents (
    project_id  text        not null,
    customer_id text        not null,
    given       text[]      not null, -- the categories
    changed_at  timestamptz not null, -- when Kafka was told
    primary key (project_id, customer_id)
);
create index consents_by_change on consents (changed_at);

alter table open_deliveries add column category text; -- null: entered by an earlier release, or sent again

-- The same of a row that has none; null where it cannot be read.
create function stored_category(record bytea) returns text stable language plpgsql as $$
begin
    return convert_from(record, 'UTF8')::jsonb->'delivery'->>'category';
exception when others then
    return null;
end
$$;
