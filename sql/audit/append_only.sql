-- The trail is append-only. Grants and policies stop every login; these triggers stop the owner and functions too.
-- What they can't stop: a superuser, or the owner altering the table itself.

create or replace function audit.tg_refuse_change()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = 'CP001',
    message = format('%s of the audit trail is refused', lower(tg_op)),
    hint = 'The trail is append-only; old months are archived as whole partitions.',
    schema = tg_table_schema,
    table = tg_table_name;
end $$;
revoke all on function audit.tg_refuse_change() from public;
comment on function audit.tg_refuse_change() is
  'Trigger: nothing in the audit trail is updated, deleted or truncated.
Errors: CP001.';

-- Row triggers of the parent exist on every partition as well; audit.ensure_partitions() adds the one for truncate.
create or replace trigger audit_log_10_append_only
  before update or delete on audit.audit_log
  for each row execute function audit.tg_refuse_change();
comment on trigger audit_log_10_append_only on audit.audit_log is 'Rows are never updated or deleted (CP001).';

create or replace trigger audit_log_20_no_truncate
  before truncate on audit.audit_log
  for each statement execute function audit.tg_refuse_change();
comment on trigger audit_log_20_no_truncate on audit.audit_log is 'The trail is never truncated (CP001).';

comment on column audit.audit_log.changes is
  'CREATED: {"column": value}; DELETED: {"column": last value}; otherwise the changed columns only, {"column": [before, after]}. Rows written by a pay run: {"rows": how many}.';
