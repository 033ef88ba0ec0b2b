-- What accounts sent, by the hour, and what of it came back: too large a share pauses them.
create table account_hours (
    project_id   text        not null,
    channel      text        not null,
    destination  text        not null, -- the account
    hour         timestamptz not null, -- in which it was sent
    counted_from timestamptz not null, -- within the hour: what was sent before is not in here
    sent         bigint      not null default 0, -- what its provider took, or refused for good
    bounced      bigint      not null default 0,
    complained   bigint      not null default 0,
    primary key (project_id, channel, destination, hour)
) with (fillfactor = 50);

-- Whoever resumes an account has looked at why it was paused: it is judged by what it sends from then on.
create function count_anew() returns trigger language plpgsql as $$
begin
    delete from account_hours
    where project_id = old.project_id and channel = old.channel and destination = old.destination;
    return null;
end
$$;
create trigger paused_destinations_resumed after delete on paused_destinations
    for each row execute function count_anew();
