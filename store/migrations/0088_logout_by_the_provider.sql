-- Back-channel logout: an OpenID provider says that sessions which began by it are over.
alter table sessions
    add column provider_issuer  text, -- null: began otherwise
    add column provider_subject text,
    add column provider_sid     text; -- the provider's own name for its session; null: it named none

-- Tokens by which a provider has ended sessions, each used once.
create table oidc_logout_tokens (
    token_hash bytea       primary key, -- SHA-256 of the issuer and the token's own id
    ends_at    timestamptz not null     -- from then on it proves nothing anyway
);
create index oidc_logout_tokens_old on oidc_logout_tokens (ends_at);
