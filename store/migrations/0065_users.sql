-- People who sign in: of the deployment, with a role in each project that they are in, and links that are used once.
create table users (
    user_id           text        primary key,
    email             text        not null,
    email_key         text        not null unique, -- the address whatever its case
    display_name      text        not null,
    state             text        not null default 'active', -- or disabled
    password_hash     text,                        -- argon2id; null until one is set
    created_at        timestamptz not null default now(),
    last_signed_in_at timestamptz
);

create table user_roles (
    project_id  text        not null,
    user_id     text        not null references users on delete cascade,
    role        text        not null,
    granted_by  text        not null,
    granted_at  timestamptz not null default now(),
    accepted_at timestamptz, -- null: invited; nothing may be done by it
    primary key (project_id, user_id)
);
create index user_roles_users on user_roles (user_id);

create table user_links (
    token_hash   bytea       primary key, -- SHA-256 of 256 random bits
    project_id   text        not null,    -- of whoever asked for it
    user_id      text        references users on delete cascade, -- null: whoever comes first
    purpose      text        not null,    -- first_admin, invitation, reset
    is_operators boolean     not null,    -- asked for by whoever runs the deployment, not by an admin of the project
    created_by   text        not null,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz not null
);
create index user_links_users on user_links (user_id);
