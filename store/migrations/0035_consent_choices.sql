-- What customers choose with us, beside what `customers` says of them: the last choice about each category.
create table consent_choices (
    project_id    text        not null,
    customer_id   text        not null,
    category      text        not null, -- * for all of them
    given         boolean     not null,
    chosen_at     timestamptz not null,
    way           text        not null, -- one_click, page
    delivery_id   text,                 -- whose link was followed
    taken_over_at timestamptz,          -- when Kafka was told a profile that says the same: it alone counts from then on
    primary key (project_id, customer_id, category)
);
