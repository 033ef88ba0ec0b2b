-- What follows messages is released once it is read what became of them: whether any has come due is asked again and again.
create index holds_following_due on holds (until_at) where ended_at is null and follows is not null;
