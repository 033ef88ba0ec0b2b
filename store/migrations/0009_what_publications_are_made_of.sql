-- A publication keeps what its objects are made of, beside the code and the version of the campaign; the objects as they
-- were sent said the same three times over. One pass over the table; nothing is lost.
alter table publications
    alter column publication type text using publication::json ->> 'customer',
    alter column voucher     type text using publication::json ->> 'channel';
alter table publications rename column publication to customer; -- as it stands in the publication, JSON
alter table publications rename column voucher to channel;
