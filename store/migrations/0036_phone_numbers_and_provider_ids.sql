-- Phone numbers are compared with the suppression list as they are, and callbacks find a delivery by its provider's id.
create index open_deliveries_by_provider_id on open_deliveries (project_id, provider_id) where provider_id is not null;
create index ended_deliveries_by_provider_id on ended_deliveries (project_id, provider_id) where provider_id is not null;

-- The keys of a row that has none; nothing where it cannot be read. Python's `address_keys` says the same.
create or replace function stored_address_keys(channel text, record bytea) returns uuid[] stable language plpgsql as $$
declare
    delivery jsonb;
    address text;
    labels text[];
    keys text[];
begin
    delivery := convert_from(record, 'UTF8')::jsonb->'delivery';
    if channel = 'webhook' then
        address := lower(regexp_replace(delivery->>'account', ':[0-9]+$', ''));
    else
        delivery := delivery->channel;
        address := lower(coalesce(delivery->>'to', delivery->>'email', delivery->>'phone'));
    end if;
    if address like '+%' and address not like '%@%' then
        keys := array[address];
    else
        labels := string_to_array(regexp_replace(address, '^.*@', ''), '.');
        keys := array_remove(array[address, array_to_string(labels, '.')], null);
        for place in 2 .. coalesce(array_length(labels, 1), 0) - 1 loop
            keys := keys || ('*.' || array_to_string(labels[place:], '.'));
        end loop;
    end if;
    return array(select distinct encode(substr(sha256(convert_to(key, 'UTF8')), 1, 16), 'hex')::uuid
                 from unnest(keys) as k (key));
exception when others then
    return '{}';
end
$$;
