-- A run on several backends: `crewpay pay run --workers N`. One session coordinates, the others compute slices of the crew under
-- its snapshot and commit them where nobody sees them; the coordinator takes them over while the next are computed, and publishes
-- in one step.
--
--   coordinator                                         workers
--   begin_run(): the run, building          [commit]
--   hold_run(): locks the period, exports its snapshot
--   take_slices(): as often as it likes                 set transaction snapshot; compute_slice()   [commit]
--   publish_run(): takes the rest, checks, publishes [commit]
--
-- Whoever dies, the last published result stays in force; purge_runs() removes what is left over.

-- The crew of a slice are neighbours by group of positions, then by employee number: most slices read the facts for one group only,
-- who flies together tends to be numbered together, and findings keep their order.
create or replace function pay.slice_members(p_period pay.pay_periods, p_slice_no integer, p_slices integer)
returns table (group_no integer, crew bigint, tokens jsonb)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  -- Everything else of the plan is as for everybody: what it knows of the crew comes from this table.
  select c.group_no, count(c.employee_id) filter (where c.slice_no = p_slice_no), jsonb_build_object('@members@',
    coalesce(
      '(select m.* from crew.crew_members as m where m.employee_id between '
        || rules.text_sql(min(c.employee_id) filter (where c.slice_no = p_slice_no)) || ' and '
        || rules.text_sql(max(c.employee_id) filter (where c.slice_no = p_slice_no)) || ')',
      '(select m.* from crew.crew_members as m where false)'))
  from (
    select g.group_no, m.employee_id, ntile(p_slices) over (order by g.group_no, m.employee_id) as slice_no
    from pay.run_groups(p_period) as g
    left join crew.crew_members as m on m.enterprise_id = p_period.enterprise_id
      and m.position = any (g.positions)
      and m.hire_date <= p_period.end_date
      and (m.termination_date is null or m.termination_date >= p_period.contract_month)
  ) as c
  where p_slices > 1
  group by c.group_no
$$;
comment on function pay.slice_members(pay.pay_periods, integer, integer) is
'How many crew members of a group of positions are in one slice, and the token of a plan that stands for them: {"@members@": SQL}.
No rows where there is one slice.
p_period: the period; p_slice_no: slice, from 1; p_slices: how many. Raises CP213 (no terms).';

create or replace function pay.building_run(p_run uuid)
returns pay.pay_runs
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run pay.pay_runs;
begin
  select * into v_run
  from pay.pay_runs as r
  where r.enterprise_id = (select auth.enterprise_id()) and r.id = p_run and r.state = 'building';
  if not found then
    raise exception using
      errcode = 'CP214',
      message = format('no run %s is being built', p_run),
      hint = 'Start one: pay.begin_run(), or crewpay pay run --workers 2.';
  end if;
  return v_run;
end
$$;
comment on function pay.building_run(uuid) is
'A run in progress of the caller''s enterprise.
p_run: run. Raises CP214.';

create or replace function pay.begin_run(p_enterprise uuid, p_period uuid)
returns pay.pay_runs
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
  v_period pay.pay_periods;
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  perform auth.require_enterprise(p_enterprise);
  v_period := pay.lock_period(p_enterprise, p_period);
  -- Compiled and committed before the snapshot: workers find them, instead of each storing the same.
  perform rules.ruleset_for(p_enterprise, g.positions, v_period.contract_month) from pay.run_groups(v_period) as g;
  return pay.new_run(p_enterprise, p_period, true);
end
$$;
alter function pay.begin_run(uuid, uuid) owner to crewpay_definer;
revoke all on function pay.begin_run(uuid, uuid) from public;
grant execute on function pay.begin_run(uuid, uuid) to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function pay.begin_run(uuid, uuid) is
'Starts a run of a whole period that several sessions compute (crewpay pay run --workers); returns it. Commit it before pay.hold_run().
p_enterprise: tenant; p_period: an open pay period.
Raises CP210 (a run is in progress), CP211 (period not open), CP213 (no terms), CP214 (unknown period), CP201 to CP206 (terms).';

create or replace function pay.hold_run(p_run uuid)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run pay.pay_runs;
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception using
      errcode = '25001',
      message = 'a run is coordinated in a read committed transaction',
      hint = 'In any other the coordinator could not see what the workers committed.';
  end if;
  v_run := pay.building_run(p_run);
  perform pay.lock_period(v_run.enterprise_id, v_run.pay_period_id);
  -- Until the transaction ends this row lock also says that the run is alive.
  update pay.pay_runs as r set as_of = now() where r.enterprise_id = v_run.enterprise_id and r.id = v_run.id;
  return pg_export_snapshot();
end
$$;
alter function pay.hold_run(uuid) owner to crewpay_definer;
revoke all on function pay.hold_run(uuid) from public;
grant execute on function pay.hold_run(uuid) to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function pay.hold_run(uuid) is
'Locks the period of a run until the transaction ends, which pay.publish_run() must be part of, and exports the snapshot that all workers
read under (set transaction snapshot); returns its name.
p_run: run of pay.begin_run(), committed.
Raises CP210 (a run is in progress), CP211 (period not open), CP214 (unknown run), 25001 (isolation level).';

create or replace function pay.compute_slice(p_run uuid, p_slice_no integer, p_slices integer, p_group_no integer)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
set work_mem = '256MB'
set enable_nestloop = off
as $$
declare
  v_run pay.pay_runs;
  v_period pay.pay_periods;
  v_legs integer;
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  if current_setting('transaction_isolation') <> 'repeatable read' then
    raise exception using
      errcode = '25001',
      message = 'a slice is computed in a repeatable read transaction',
      hint = 'All slices share the snapshot of pay.hold_run(): set transaction snapshot.';
  elsif p_slice_no is null or p_slices is null or p_slice_no not between 1 and p_slices then
    raise exception using
      errcode = '22023',
      message = format('there is no slice %s of %s', p_slice_no, p_slices),
      hint = 'Slices are numbered from 1.';
  end if;
  v_run := pay.building_run(p_run);
  select * into v_period
  from pay.pay_periods as p
  where p.enterprise_id = v_run.enterprise_id and p.id = v_run.pay_period_id;
  if not exists (select from pay.run_groups(v_period) as g where g.group_no = p_group_no) then
    return null;
  end if;

  with computed as (
    insert into pay.run_slices (enterprise_id, run_id, group_no, slice_no, slices, snapshot, ruleset_hash, leg_count, input_sum)
    select v_run.enterprise_id, v_run.id, c.group_no, p_slice_no, p_slices, pg_current_snapshot()::text, c.ruleset_hash, c.leg_count, c.input_sum
    from pay.compute(
      v_run, v_period, null, pay.plan_tokens(v_run.enterprise_id, v_period, null), 'pay.slice_results', p_slice_no, p_slices, p_group_no) as c
    returning leg_count
  )
  select sum(c.leg_count) into v_legs
  from computed as c;
  return v_legs;
end
$$;
alter function pay.compute_slice(uuid, integer, integer, integer) owner to crewpay_definer;
revoke all on function pay.compute_slice(uuid, integer, integer, integer) from public;
grant execute on function pay.compute_slice(uuid, integer, integer, integer) to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function pay.compute_slice(uuid, integer, integer, integer) is
'Computes one group of positions of one slice of the crew of a run in progress; returns the legs read, null where there is no such group.
Nobody sees the results before pay.publish_run().
p_run: run of pay.begin_run(); p_slice_no: slice, from 1; p_slices: how many, the same for all; p_group_no: group of positions, from 1.
Raises CP214 (unknown run), 25001 (isolation level), 22023 (no such slice).';

-- The findings of slices get the numbers that one session would have given them.
create or replace function pay.number_findings(p_run pay.pay_runs, p_parts integer)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  with staged as (
    delete from pay.run_findings as f
    where f.enterprise_id = p_run.enterprise_id and f.run_id = p_run.id
    returning f.*
  )
  insert into pay.run_findings (enterprise_id, run_id, finding_no, code, crew_member_id, term_id, level, node, detail)
  select f.enterprise_id, f.run_id, row_number() over (order by s.positions, f.finding_no % p_parts, f.finding_no),
    f.code, f.crew_member_id, f.term_id, f.level, f.node, f.detail
  from staged as f
  join pay.pay_calculations as c on c.enterprise_id = f.enterprise_id
    and c.run_id = f.run_id
    and c.crew_member_id = f.crew_member_id
  join rules.rulesets as s on s.enterprise_id = c.enterprise_id and s.id = c.ruleset_id
$$;
comment on function pay.number_findings(pay.pay_runs, integer) is
'Numbers the findings of a run''s slices from one, in the order of groups and employees.
p_run: run, its results moved; p_parts: how many parts, slices times groups.';

-- Results that slices have committed so far become the run's, and what they replace moves to the kept versions.
create or replace function pay.move_slices(p_run pay.pay_runs)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_rows integer;
begin
  if not exists (select from pay.pay_calculations as c where c.enterprise_id = p_run.enterprise_id and c.run_id = p_run.id) then
    perform pay.supersede(p_run.enterprise_id, p_run.pay_period_id, null);
  end if;
  with staged as (
    delete from pay.slice_results as s
    where s.enterprise_id = p_run.enterprise_id and s.run_id = p_run.id
    returning s.*
  )
  insert into pay.pay_calculations (
    enterprise_id, id, crew_member_id, pay_period_id, flight_pay_hours, flight_pay_amount, overtime_hours, overtime_amount,
    delay_pay_amount, per_diem_amount, premium_pay_amount, guarantee_hours, guarantee_amount, adjustment_amount, total_gross_pay,
    calculation_date, run_id, ruleset_id, line_term, line_node, line_quantity, line_cents)
  select
    enterprise_id, id, crew_member_id, pay_period_id, flight_pay_hours, flight_pay_amount, overtime_hours, overtime_amount,
    delay_pay_amount, per_diem_amount, premium_pay_amount, guarantee_hours, guarantee_amount, adjustment_amount, total_gross_pay,
    p_run.as_of, run_id, ruleset_id, line_term, line_node, line_quantity, line_cents
  from staged;
  get diagnostics v_rows = row_count;
  return v_rows;
end
$$;
comment on function pay.move_slices(pay.pay_runs) is
'Moves committed slices of a run in progress to pay.pay_calculations; returns the results moved.
p_run: the run, its period locked.';

create or replace function pay.take_slices(p_run uuid)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set enable_nestloop = off
as $$
declare
  v_run pay.pay_runs;
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  v_run := pay.building_run(p_run);
  perform pay.lock_period(v_run.enterprise_id, v_run.pay_period_id);
  return pay.move_slices(v_run);
end
$$;
alter function pay.take_slices(uuid) owner to crewpay_definer;
revoke all on function pay.take_slices(uuid) from public;
grant execute on function pay.take_slices(uuid) to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function pay.take_slices(uuid) is
'Takes over what workers have committed so far, while others still compute; returns the results taken. Nobody sees them before
pay.publish_run(), which takes what is left, is committed.
p_run: run of pay.begin_run(); call it in the transaction of pay.hold_run().
Raises CP210 (another run holds the period), CP211 (period not open), CP214 (unknown run).';

create or replace function pay.publish_run(p_run uuid)
returns pay.pay_runs
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
set work_mem = '256MB'
set enable_nestloop = off
as $$
declare
  v_run pay.pay_runs;
  v_period pay.pay_periods;
  v_slices record;
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  v_run := pay.building_run(p_run);
  v_period := pay.lock_period(v_run.enterprise_id, v_run.pay_period_id);

  select
    coalesce(sum(g.slices), 0)::integer as parts,
    -- All groups, all slices of each, in one partition, under one snapshot.
    coalesce(bool_and(g.complete), false) and count(distinct (g.slices, g.snapshot)) = 1
      and array_agg(g.group_no order by g.group_no) = array(select r.group_no from pay.run_groups(v_period) as r order by r.group_no) as complete,
    max(g.snapshot) as snapshot,
    sum(g.leg_count)::bigint as leg_count,
    string_agg('|' || g.ruleset_hash || ':' || g.input_sum, '' order by g.group_no) as inputs
  into v_slices
  from (
    select s.group_no, max(s.slices) as slices, max(s.snapshot) as snapshot, max(s.ruleset_hash) as ruleset_hash,
      sum(s.leg_count) as leg_count, sum(s.input_sum) as input_sum,
      count(*) = max(s.slices) and count(distinct (s.slices, s.snapshot, s.ruleset_hash)) = 1 as complete
    from pay.run_slices as s
    where s.enterprise_id = v_run.enterprise_id and s.run_id = v_run.id
    group by s.group_no
  ) as g;
  if not v_slices.complete then
    raise exception using
      errcode = 'CP212',
      message = 'slices are missing, or were not read under one snapshot',
      detail = format('run %s', v_run.id),
      hint = 'Start again: crewpay pay run --workers. Nothing was published.';
  end if;

  perform pay.move_slices(v_run);
  perform pay.number_findings(v_run, v_slices.parts);
  delete from pay.run_slices as s where s.enterprise_id = v_run.enterprise_id and s.run_id = v_run.id;
  perform pay.clear_marks(v_run.enterprise_id, v_run.pay_period_id, v_slices.snapshot::pg_snapshot);

  return pay.finish_run(v_run, v_period, null, v_slices.leg_count, v_slices.inputs);
end
$$;
alter function pay.publish_run(uuid) owner to crewpay_definer;
revoke all on function pay.publish_run(uuid) from public;
grant execute on function pay.publish_run(uuid) to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function pay.publish_run(uuid) is
'Publishes a run whose slices are all committed, in one step, with the counts and hashes that pay.run() gives; returns it.
p_run: run of pay.begin_run(); call it in the transaction of pay.hold_run().
Raises CP210 (another run holds the period), CP211 (period not open), CP212 (slices missing, coverage), CP214 (unknown run).';

-- A run is alive while its coordinator or a worker holds its row; a minute lies between begin_run() and hold_run() at most.
create or replace function pay.purge_runs(p_run uuid default null)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_selected text := nullif(current_setting('app.current_enterprise_id', true), '');
  v_enterprise uuid;
  v_run uuid;
  v_runs integer := 0;
begin
  for v_enterprise in
    select e.id from auth.enterprises() as e (id) where v_selected is null or e.id = v_selected::uuid
  loop
    perform set_config('app.current_enterprise_id', v_enterprise::text, true);
    perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
    for v_run in
      select r.id
      from pay.pay_runs as r
      where r.enterprise_id = v_enterprise
        and r.state = 'building'
        and case when p_run is null then r.started_at < clock_timestamp() - interval '1 minute' else r.id = p_run end
      for update skip locked
    loop
      delete from pay.run_slices as s where s.enterprise_id = v_enterprise and s.run_id = v_run;
      delete from pay.run_findings as f where f.enterprise_id = v_enterprise and f.run_id = v_run;
      delete from pay.slice_results as s where s.enterprise_id = v_enterprise and s.run_id = v_run;
      delete from pay.pay_runs as r where r.enterprise_id = v_enterprise and r.id = v_run;
      v_runs := v_runs + 1;
    end loop;
  end loop;
  perform set_config('app.current_enterprise_id', coalesce(v_selected, ''), true);
  return v_runs;
end
$$;
alter function pay.purge_runs(uuid) owner to crewpay_definer;
revoke all on function pay.purge_runs(uuid) from public;
grant execute on function pay.purge_runs(uuid) to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function pay.purge_runs(uuid) is
'Removes runs that were begun and will never be published, with all their rows; returns how many. A run whose sessions live is left alone.
p_run: only this one; null for all that were begun more than a minute ago. In every enterprise of the caller, or the one selected.';
