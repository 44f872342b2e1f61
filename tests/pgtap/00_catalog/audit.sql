-- Every table is in the audit trail, or on the list of those that are not, with a reason.
begin;
select plan(5);

select is_empty($$
  select t.name
  from test.tables t
  where not t.relispartition
    and not exists (select from audit.not_audited n where n.table_name = t.name)
    and (
      select count(*)
      from pg_trigger g
      join pg_proc f on f.oid = g.tgfoid
      where g.tgrelid = t.oid
        and g.tgenabled = 'O'
        and f.proname = 'capture_' || t.schema_name || '_' || t.table_name
    ) <> 3
$$, 'insert, update and delete of every table are recorded, or the table is in audit.not_audited');

select is_empty($$
  select n.table_name
  from audit.not_audited n
  left join test.tables t on t.name = n.table_name
  where t.oid is null
     or exists (select from pg_trigger g where g.tgrelid = t.oid and g.tgname ~ '_90_audit_')
$$, 'audit.not_audited names only tables that exist and are not recorded');

select is_empty($$
  select t.name
  from test.tables t
  where exists (select from pg_trigger g where g.tgrelid = t.oid and g.tgname ~ '_90_audit_update$')
    and not exists (
      select from pg_trigger g where g.tgrelid = t.oid and g.tgfoid = 'audit.tg_refuse_key_change()'::regprocedure)
$$, 'keys of recorded tables cannot change');

-- A column that was added later, but is in no capture function: audit.attach() was not run again.
select is_empty($$
  select t.name, a.attname
  from test.tables t
  join pg_proc f on f.proname = 'capture_' || t.schema_name || '_' || t.table_name and f.pronamespace = 'audit'::regnamespace
  join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
  where strpos(f.prosrc, a.attname) = 0
    and a.attname not in ('created_at', 'updated_at')
    and (t.name, a.attname) not in (
      ('pay.pay_calculations', 'line_term'), ('pay.pay_calculations', 'line_node'),
      ('pay.pay_calculations', 'line_quantity'), ('pay.pay_calculations', 'line_cents'),
      ('review.claim_evidence', 'content'))
$$, 'every column of recorded tables is recorded, but for the lines of a result, which its run''s hash covers, and documents, whose hash is recorded');

select is_empty($$
  select t.name
  from test.tables t
  join pg_attribute a on a.attrelid = t.oid and a.attname = 'updated_at' and not a.attisdropped
  where not exists (
    select from pg_trigger g where g.tgrelid = t.oid and g.tgfoid = 'platform.tg_touch()'::regprocedure)
$$, 'updated_at is kept by a trigger wherever it exists');

select * from finish();
rollback;
