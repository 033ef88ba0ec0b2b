-- Passkeys: keys that people's devices keep, by which they sign in without a password.
create table passkeys (
    credential_id bytea       primary key,     -- as the device names it
    passkey_id    text        not null unique, -- as people name it
    user_id       text        not null references users on delete cascade,
    name          text        not null,
    public_key    bytea       not null,        -- COSE
    sign_count    bigint      not null,        -- of the last signature; 0 of devices that do not count
    is_synced     boolean     not null,        -- may be on several devices
    added_at      timestamptz not null default now(),
    used_at       timestamptz
);
create index passkeys_users on passkeys (user_id);

-- What a device is asked to sign, each used once: to sign in, or to be added.
create table passkey_challenges (
    challenge_hash bytea       primary key, -- SHA-256 of 256 random bits
    browser_hash   bytea,                   -- SHA-256 of the cookie of who signs in
    session_id     text,                    -- of who adds one
    name           text,                    -- of the one that is added
    ends_at        timestamptz not null,
    check ((browser_hash is null) <> (session_id is null))
);
create index passkey_challenges_old on passkey_challenges (ends_at);
