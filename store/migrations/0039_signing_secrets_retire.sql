-- Until when what an account signed by before its last rotation signs beside what it signs by now.
alter table accounts add column retires_at timestamptz;
