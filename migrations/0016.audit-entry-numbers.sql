-- Entries of the trail are numbered in the order in which they were written: what a row's history and the sealing of the trail go by.
-- The number is the primary key, in place of the random id: an index that grows at its end costs a bulk write next to nothing.

create sequence audit.audit_log_entry_no_seq;
alter table audit.audit_log drop constraint audit_log_pkey;
alter table audit.audit_log add column entry_no bigint not null default nextval('audit.audit_log_entry_no_seq');
alter sequence audit.audit_log_entry_no_seq owned by audit.audit_log.entry_no;
alter table audit.audit_log add constraint audit_log_pkey primary key (entry_no, created_at);
comment on column audit.audit_log.id is 'Name of the entry, random.';
comment on column audit.audit_log.entry_no is 'Number of the entry, in the order of writing: entries of one row are in the order of its changes. Commits may come in another order.';
comment on column audit.audit_log.transaction_id is 'Transaction. What is below a snapshot''s xmin is complete: no entry of it comes later.';
