comment on column audit.audit_log.transaction_id is 'Transaction.';
comment on column audit.audit_log.id is 'Row key.';
alter table audit.audit_log drop constraint audit_log_pkey;
alter table audit.audit_log drop column entry_no;
alter table audit.audit_log add constraint audit_log_pkey primary key (id, created_at);
