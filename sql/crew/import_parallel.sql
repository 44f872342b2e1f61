-- Another payroll's results, to be compared with ours: kept by import, since each file is a comparison of its own. What stands there
-- twice is kept twice: it may be what is wrong.

create or replace function crew.import_parallel(
  p_batch uuid, out o_inserted integer, out o_updated integer, out o_unchanged integer, out o_rejected integer)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
begin
  with verdict as materialized (
    select r.* from crew.import_read_payments(p_batch, false) r
  ),
  refused as (
    insert into crew.import_rejects (enterprise_id, batch_id, row_no, code, reason, data)
    select v_enterprise, p_batch, v.row_no, v.code, v.reason, v.data
    from verdict v
    where v.code is not null
    returning 1
  ),
  written as (
    insert into review.parallel_lines (
      enterprise_id, batch_id, row_no, crew_member_id, pay_period_id, component, flight_id, quantity, amount)
    select v_enterprise, p_batch, v.row_no, v.crew_member_id, v.pay_period_id, v.component::pay.component, v.flight_id, v.quantity, v.amount
    from verdict v
    where v.code is null
    returning 1
  )
  select (select count(*) from written), 0, 0, (select count(*) from refused)
  into o_inserted, o_updated, o_unchanged, o_rejected;
end $$;
revoke all on function crew.import_parallel(uuid) from public;
grant execute on function crew.import_parallel(uuid) to crewpay_definer;
comment on function crew.import_parallel(uuid) is
  'Checks the staged results of another payroll and writes the good ones; called by crew.import_finish().
p_batch: the import. Counts rows by what became of them.
Rejects: CP105, CP106, CP107, CP109, CP112.';
