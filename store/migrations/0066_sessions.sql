-- Sessions of people who have signed in, and how often signing in failed.
create table sessions (
    session_hash bytea       primary key, -- SHA-256 of 256 random bits
    session_id   text        not null unique, -- as people name it: nothing of what proves it
    user_id      text        not null references users on delete cascade,
    began_at     timestamptz not null default now(),
    used_at      timestamptz not null default now(), -- to the minute
    ends_at      timestamptz not null, -- whatever happens
    network      text        not null,
    agent        text        not null -- what the browser says of itself, shortened
);
create index sessions_users on sessions (user_id);
create index sessions_old on sessions (ends_at);

-- Failures are counted for an account at a network, for a network, and for an account; each begins anew after a day.
create table sign_in_attempts (
    kind     text        not null,
    key      bytea       not null, -- SHA-256 of the address as it was written, or of the network, or of both
    failures integer     not null,
    last_at  timestamptz not null,
    primary key (kind, key)
);
create index sign_in_attempts_old on sign_in_attempts (last_at);

-- Where somebody has signed in before: whoever guesses elsewhere does not keep them waiting there.
create table sign_in_networks (
    user_id text        not null references users on delete cascade,
    network text        not null,
    last_at timestamptz not null default now(),
    primary key (user_id, network)
);
