-- Who signs in by the provider of the settings: known by its issuer and subject alone, never by an address.
create table user_identities (
    issuer       text        not null,
    subject      text        not null, -- the provider's own name for somebody, which it never gives to another
    user_id      text        not null references users on delete cascade,
    linked_at    timestamptz not null default now(),
    primary key (issuer, subject)
);
create unique index user_identities_users on user_identities (user_id, issuer);

-- Sign-ins by the provider that were begun, each used once.
create table oidc_attempts (
    state_hash   bytea       primary key, -- SHA-256 of 256 random bits that go to the provider and come back
    browser_hash bytea       not null,    -- SHA-256 of a cookie: another browser does not end it
    nonce        text        not null,
    verifier     text        not null,    -- of PKCE
    next_page    text        not null,
    session_id   text,                    -- of who links it to themselves; null: signs in
    ends_at      timestamptz not null
);
create index oidc_attempts_old on oidc_attempts (ends_at);
