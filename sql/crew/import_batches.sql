-- An import: begin, stage the rows in pieces, finish. Only administrators and payroll import; each function sees the
-- caller's enterprise only.

create or replace function crew.import_begin(p_kind text, p_file_name text)
returns uuid
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_batch uuid;
begin
  perform auth.require_role('admin', 'payroll');
  insert into crew.import_batches (enterprise_id, kind, file_name, created_by)
  values (auth.enterprise_id(), p_kind, p_file_name, session_user)
  returning id into v_batch;
  return v_batch;
end $$;
alter function crew.import_begin(text, text) owner to crewpay_definer;
revoke all on function crew.import_begin(text, text) from public;
grant execute on function crew.import_begin(text, text) to crewpay_admin, crewpay_payroll;
comment on function crew.import_begin(text, text) is
  'Begins an import and returns its key.
p_kind: flights, crew, trips, assignments, payments or parallel; p_file_name: for people.
Errors: 42501 for other roles; 23514 for another kind.';

create or replace function crew.import_stage(p_batch uuid, p_first_row integer, p_rows jsonb)
returns integer
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_rows integer;
begin
  perform auth.require_role('admin', 'payroll');
  insert into crew.import_rows (enterprise_id, batch_id, row_no, data)
  select
    auth.enterprise_id(),
    p_batch,
    p_first_row + e.position::integer - 1,
    (select coalesce(jsonb_object_agg(c.key, nullif(btrim(c.value), '')), '{}') from jsonb_each_text(e.data) c)
  from jsonb_array_elements(p_rows) with ordinality e (data, position);
  get diagnostics v_rows = row_count;
  return v_rows;
end $$;
alter function crew.import_stage(uuid, integer, jsonb) owner to crewpay_definer;
revoke all on function crew.import_stage(uuid, integer, jsonb) from public;
grant execute on function crew.import_stage(uuid, integer, jsonb) to crewpay_admin, crewpay_payroll;
comment on function crew.import_stage(uuid, integer, jsonb) is
  'Adds rows to an import; returns how many.
p_batch: from crew.import_begin(); p_first_row: row of the file that the first one is; p_rows: array of objects, column name to text.
Errors: 42501 for other roles; 23503 for an import that isn''t the caller''s; 23505 when a row is there already.';

create or replace function crew.import_finish(p_batch uuid)
returns crew.import_batches
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_batch crew.import_batches;
  v_count record;
  v_before text;
begin
  perform auth.require_role('admin', 'payroll');
  select b.* into v_batch
  from crew.import_batches b
  where b.enterprise_id = auth.enterprise_id()
    and b.id = p_batch
    and b.finished_at is null
  for update;
  if not found then
    raise exception using
      errcode = 'CP113',
      message = 'no such import in progress',
      hint = 'Begin one with crew.import_begin().';
  end if;
  -- One import of an enterprise at a time: two would not see each other's rows.
  perform pg_advisory_xact_lock(hashtextextended('crew.import:' || v_batch.enterprise_id, 0));
  v_before := pay.because('import of ' || v_batch.file_name);
  case v_batch.kind
    when 'flights' then select * into v_count from crew.import_flights(p_batch);
    when 'crew' then select * into v_count from crew.import_crew(p_batch);
    when 'trips' then select * into v_count from crew.import_trips(p_batch);
    when 'assignments' then select * into v_count from crew.import_assignments(p_batch);
    when 'payments' then select * into v_count from crew.import_payments(p_batch);
    when 'parallel' then select * into v_count from crew.import_parallel(p_batch);
  end case;
  perform set_config('app.reason', v_before, true);
  delete from crew.import_rows r where r.enterprise_id = v_batch.enterprise_id and r.batch_id = p_batch;
  update crew.import_batches b
  set finished_at = clock_timestamp(),
    row_count = v_count.o_inserted + v_count.o_updated + v_count.o_unchanged + v_count.o_rejected,
    inserted_count = v_count.o_inserted,
    updated_count = v_count.o_updated,
    unchanged_count = v_count.o_unchanged,
    rejected_count = v_count.o_rejected
  where b.enterprise_id = v_batch.enterprise_id
    and b.id = p_batch
  returning b.* into v_batch;
  return v_batch;
end $$;
alter function crew.import_finish(uuid) owner to crewpay_definer;
revoke all on function crew.import_finish(uuid) from public;
grant execute on function crew.import_finish(uuid) to crewpay_admin, crewpay_payroll;
comment on function crew.import_finish(uuid) is
  'Checks the staged rows, writes the good ones, keeps the others in crew.import_rejects, and returns the counts.
p_batch: from crew.import_begin().
Errors: 42501 for other roles; CP113 when the import is not the caller''s, or is finished.';
