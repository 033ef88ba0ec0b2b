-- What a delivery is compared with the suppression list by: hashes of its address, its domain and the wildcards above.
alter table open_deliveries add column address_keys uuid[]; -- null: entered by an earlier release, or sent again

-- The same of a row that has none; nothing where it cannot be read. Python's `address_keys` says the same.
create function stored_address_keys(channel text, record bytea) returns uuid[] stable language plpgsql as $$
declare
    delivery jsonb;
    address text;
    labels text[];
    keys text[];
begin
    delivery := convert_from(record, 'UTF8')::jsonb->'delivery';
    address := lower(case channel when 'email' then delivery->'email'->>'to'
                                  else regexp_replace(delivery->>'account', ':[0-9]+$', '') end);
    labels := string_to_array(regexp_replace(address, '^.*@', ''), '.');
    keys := array_remove(array[address, array_to_string(labels, '.')], null);
    for place in 2 .. coalesce(array_length(labels, 1), 0) - 1 loop
        keys := keys || ('*.' || array_to_string(labels[place:], '.'));
    end loop;
    return array(select distinct encode(substr(sha256(convert_to(key, 'UTF8')), 1, 16), 'hex')::uuid
                 from unnest(keys) as k (key));
exception when others then
    return '{}';
end
$$;
