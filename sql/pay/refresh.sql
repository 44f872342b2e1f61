-- Bringing a period up to date: only who is dirty is computed again, everybody else's result is carried over. The result, and its
-- hash, are those of a run of everybody.

-- Who has to be computed again; null: everybody, {}: nobody.
create or replace function pay.dirty_crew(p_period pay.pay_periods, p_last pay.pay_runs)
returns uuid[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_crew uuid[];
begin
  if p_last.id is null
    or p_last.engine_version <> pay.engine_version() or p_last.time_zone_version is distinct from pay.time_zone_version()
    or exists (
      select
      from pay.dirty_marks as m
      where m.enterprise_id = p_period.enterprise_id and m.pay_period_id = p_period.id and m.crew_member_id is null
        and m.cause not in ('rules.union_contract_terms', 'rules.declared_facts', 'graph.generations')) then
    return null;
  end if;
  select coalesce(array_agg(dirty.crew_member_id order by dirty.crew_member_id), '{}') into v_crew
  from (
    select m.crew_member_id
    from pay.dirty_marks as m
    where m.enterprise_id = p_period.enterprise_id and m.pay_period_id = p_period.id and m.crew_member_id is not null
    union
    -- Results under other terms than are in force, and of runs that were not of the whole period.
    select c.crew_member_id
    from pay.pay_calculations as c
    join pay.pay_runs as r on r.enterprise_id = c.enterprise_id and r.id = c.run_id
    join crew.crew_members as m on m.enterprise_id = c.enterprise_id and m.id = c.crew_member_id
    left join (
      select p.crew_position, rules.ruleset_for(p_period.enterprise_id, g.positions, p_period.contract_month) as ruleset_id
      from pay.run_groups(p_period) as g
      cross join lateral unnest(g.positions) as p (crew_position)
    ) as now on now.crew_position = m.position
    where c.enterprise_id = p_period.enterprise_id and c.pay_period_id = p_period.id
      and (not r.whole_period or c.ruleset_id is distinct from now.ruleset_id)
  ) as dirty;
  return v_crew;
end
$$;
comment on function pay.dirty_crew(pay.pay_periods, pay.pay_runs) is
'Crew members whose result of an open period may not be what a run would give: null for everybody, {} for nobody.
p_period: the period; p_last: its published run of everybody, or null.';

-- Findings of those who are carried over are findings of the new run too.
create or replace function pay.carry_findings(p_run pay.pay_runs)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  insert into pay.run_findings (enterprise_id, run_id, finding_no, code, crew_member_id, term_id, level, node, detail)
  select f.enterprise_id, p_run.id, own.findings + row_number() over (order by f.finding_no),
    f.code, f.crew_member_id, f.term_id, f.level, f.node, f.detail
  from pay.run_findings as f
  cross join (select count(*) as findings from pay.run_findings as o where o.enterprise_id = p_run.enterprise_id and o.run_id = p_run.id) as own
  where f.enterprise_id = p_run.enterprise_id
    and f.run_id = p_run.carried_from
    and f.crew_member_id <> all (p_run.refreshed_crew)
$$;
comment on function pay.carry_findings(pay.pay_runs) is
'Copies the findings of crew members whose results a run carries over.
p_run: the run.';

create or replace function pay.refresh(p_enterprise uuid, p_period uuid)
returns pay.pay_runs
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
set work_mem = '256MB'
-- As in pay.run().
set enable_nestloop = off
as $$
declare
  v_period pay.pay_periods;
  v_last pay.pay_runs;
  v_run pay.pay_runs;
  v_crew uuid[];
  v_snapshot pg_snapshot;
  v_legs bigint;
  v_inputs text;
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  perform auth.require_enterprise(p_enterprise);
  v_period := pay.lock_period(p_enterprise, p_period);
  v_snapshot := pg_current_snapshot();
  select r.* into v_last
  from pay.pay_runs as r
  where r.enterprise_id = p_enterprise and r.pay_period_id = p_period
    and r.kind = 'REGULAR' and r.state = 'published' and r.whole_period;
  v_crew := pay.dirty_crew(v_period, v_last);
  if v_crew is null or cardinality(v_crew) > v_last.crew_count / 2 then
    return pay.run(p_enterprise, p_period);
  elsif v_crew = '{}' then
    perform pay.clear_marks(p_enterprise, p_period, v_snapshot);
    return v_last;
  end if;

  v_run := pay.new_run(p_enterprise, p_period, true);
  update pay.pay_runs as r
  set carried_from = v_last.id, refreshed_crew = v_crew
  where r.enterprise_id = p_enterprise and r.id = v_run.id
  returning r.* into v_run;
  perform pay.supersede(p_enterprise, p_period, v_crew);
  select coalesce(sum(c.leg_count), 0), coalesce(string_agg('|' || c.ruleset_hash || ':' || c.input_sum, '' order by c.group_no), '')
  into v_legs, v_inputs
  from pay.compute(v_run, v_period, v_crew, pay.plan_tokens(p_enterprise, v_period, v_crew), 'pay.pay_calculations', 1, 1) as c;
  perform pay.carry_findings(v_run);
  -- An approval was of the run before.
  update pay.pay_calculations as c
  set validated_at = null, validated_by = null
  where c.enterprise_id = p_enterprise and c.pay_period_id = p_period and c.validated_at is not null;
  perform pay.clear_marks(p_enterprise, p_period, v_snapshot);
  return pay.finish_run(v_run, v_period, null, v_legs, v_last.input_hash || v_inputs);
end
$$;
alter function pay.refresh(uuid, uuid) owner to crewpay_definer;
revoke all on function pay.refresh(uuid, uuid) from public;
grant execute on function pay.refresh(uuid, uuid) to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function pay.refresh(uuid, uuid) is
'Brings the results of a period up to date: computes again only those crew members whose facts, terms or adjustments changed since the last
run, carries the others over, and publishes in one step; returns the run. Its result_hash is that of a run of everybody; leg_count and
input_hash are of what it read. Where nothing changed the last run stands and is returned; where most did, or none is published, it is pay.run().
p_enterprise: tenant; p_period: an open pay period.
Raises CP210 (a run is in progress), CP211 (period not open), CP212 (coverage), CP213 (no terms), CP214 (unknown period), CP201 to CP207 (terms).';

-- What the scheduler does. A period whose results are being looked at (PROCESSING), or that nobody has run yet, is left alone.
create or replace function pay.refresh_open_periods()
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
  v_period record;
  v_alert text;
  v_code text;
  v_message text;
  v_refreshed integer := 0;
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  for v_period in
    select p.id, p.start_date, p.end_date
    from pay.pay_periods as p
    where p.enterprise_id = v_enterprise
      and p.status = 'OPEN'
      and exists (select from pay.dirty_marks as m where m.enterprise_id = p.enterprise_id and m.pay_period_id = p.id)
      and exists (
        select
        from pay.pay_runs as r
        where r.enterprise_id = p.enterprise_id and r.pay_period_id = p.id and r.kind = 'REGULAR' and r.state = 'published' and r.whole_period)
    order by p.start_date
  loop
    v_alert := format('pay-refresh:%s', v_period.start_date);
    begin
      perform pay.refresh(v_enterprise, v_period.id);
      v_refreshed := v_refreshed + 1;
      perform ops.clear_alert(v_alert);
    exception
      when sqlstate 'CP210' then
        -- Somebody is running it; the next turn finds what is left.
        null;
      when others then
        get stacked diagnostics v_code = returned_sqlstate, v_message = message_text;
        perform ops.raise_alert(v_alert, 'HIGH',
          format('the pay of %s to %s is not up to date: %s', v_period.start_date, v_period.end_date, v_message), jsonb_build_object('code', v_code));
    end;
  end loop;
  return v_refreshed;
end
$$;
alter function pay.refresh_open_periods() owner to crewpay_definer;
revoke all on function pay.refresh_open_periods() from public;
grant execute on function pay.refresh_open_periods() to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function pay.refresh_open_periods() is
'Brings every OPEN period that was run and has changed since up to date (pay.refresh); returns how many. One that can''t be computed raises the
alert pay-refresh:DAY and doesn''t keep the others from it; one that somebody is running is left to the next turn.
Acts for the enterprise selected. Raises 42501.';

-- The results that were in force with a run: its own, and those it carried over.
create or replace function pay.results_of(p_run pay.pay_runs)
returns setof pay.calculation_versions
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with recursive chain as (
    select r.id, r.carried_from, r.refreshed_crew, '{}'::uuid[] as replaced
    from pay.pay_runs as r
    where r.enterprise_id = p_run.enterprise_id and r.id = p_run.id
    union all
    select r.id, r.carried_from, r.refreshed_crew, chain.replaced || chain.refreshed_crew
    from chain
    join pay.pay_runs as r on r.enterprise_id = p_run.enterprise_id and r.id = chain.carried_from
  )
  select v.*
  from chain
  join (
    select
      c.enterprise_id, c.run_id, c.crew_member_id, c.pay_period_id, c.id, c.flight_pay_hours, c.flight_pay_amount, c.overtime_hours, c.overtime_amount,
      c.delay_pay_amount, c.per_diem_amount, c.premium_pay_amount, c.guarantee_hours, c.guarantee_amount, c.adjustment_amount, c.total_gross_pay,
      c.calculation_date, c.validated_at, c.validated_by, c.ruleset_id, c.line_term, c.line_node, c.line_quantity, c.line_cents
    from pay.pay_calculations as c
    where c.enterprise_id = p_run.enterprise_id and c.pay_period_id = p_run.pay_period_id
    union all
    select k.*
    from pay.calculation_versions as k
    where k.enterprise_id = p_run.enterprise_id and k.pay_period_id = p_run.pay_period_id
  ) as v on v.run_id = chain.id
  where v.crew_member_id <> all (chain.replaced)
$$;
comment on function pay.results_of(pay.pay_runs) is
'The results of a run, also of one that carried some over or that is superseded.
p_run: the run.';
