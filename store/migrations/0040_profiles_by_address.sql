-- A data transfer that is known to its provider by a name of ours is compared with the suppression list by the mailbox and
-- the number of its customer's profile. Python's `delivery_keys` says the same.
create or replace function stored_address_keys(channel text, record bytea) returns uuid[] stable language plpgsql as $$
declare
    delivery jsonb;
    addresses text[];
    address text;
    labels text[];
    keys text[] := '{}';
begin
    delivery := convert_from(record, 'UTF8')::jsonb->'delivery';
    if channel = 'webhook' then
        addresses := array[regexp_replace(delivery->>'account', ':[0-9]+$', '')];
    else
        addresses := array[coalesce(delivery->channel->>'to', delivery->channel->>'email', delivery->channel->>'phone',
                                    delivery->channel->>'phone_number')];
        if addresses[1] is null then
            addresses := array[delivery->'data'->'customer'->>'email',
                               regexp_replace(delivery->'data'->'customer'->>'phone', '[^+0-9]', '', 'g')];
        end if;
    end if;
    foreach address in array addresses loop
        address := lower(address);
        if address like '+%' and address not like '%@%' then
            keys := keys || address;
        elsif address is not null then
            labels := string_to_array(regexp_replace(address, '^.*@', ''), '.');
            keys := keys || address || array_to_string(labels, '.');
            for place in 2 .. coalesce(array_length(labels, 1), 0) - 1 loop
                keys := keys || ('*.' || array_to_string(labels[place:], '.'));
            end loop;
        end if;
    end loop;
    return array(select distinct encode(substr(sha256(convert_to(key, 'UTF8')), 1, 16), 'hex')::uuid
                 from unnest(keys) as k (key));
exception when others then
    return '{}';
end
$$;
