-- Proof of a run: everything it says is computed again from facts and terms as they were on record then, under the rulesets it used,
-- and compared: each line, each total, the rulesets with the terms they were compiled from, the counts and hashes of the run itself.
-- What went through the database's own ways is kept with its versions and agrees; what was changed behind their back doesn't.

-- Results of one ruleset as they must have been, added to _expected.
create or replace function pay.expect_results(p_run pay.pay_runs, p_ruleset uuid, p_tokens jsonb, out leg_count integer, out input_sum numeric)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pay.stage(p_run.enterprise_id, p_ruleset, p_tokens);
  execute $q$
    insert into _lines (no, term_no, node, quantity, cents)
    select p.no, 0, a.adjustment_no, 1, (a.amount * 100)::integer
    from _adjusted as a
    join _people as p on p.id = a.crew_member_id
    where a.run_id = $1$q$
  using p_run.id;
  perform pay.stage_overrides(p_run.enterprise_id, p_run.pay_period_id, p_ruleset, p_run.as_of);
  execute format($q$
    insert into _expected
    select $1, $2, r.crew_member_id, r.flight_pay_hours, r.flight_pay_amount, r.overtime_hours, r.overtime_amount,
      r.delay_pay_amount, r.per_diem_amount, r.premium_pay_amount, r.guarantee_hours, r.guarantee_amount, r.adjustment_amount, r.total_gross_pay,
      r.line_term, r.line_node, r.line_quantity, r.line_cents
    from (%s) as r$q$, pay.results_sql(p_run.enterprise_id, p_ruleset))
  using p_run.id, p_ruleset;
  execute pay.inputs_sql() into leg_count, input_sum;
end
$$;
comment on function pay.expect_results(pay.pay_runs, uuid, jsonb) is
'Computes the results of one ruleset again into _expected; returns the legs read and their hash.
p_run: the run that computed them; p_ruleset: ruleset; p_tokens: as of the run.';

-- The ruleset of each group of positions, also of those that nobody held.
create or replace function pay.rulesets_of(p_run pay.pay_runs, p_period pay.pay_periods)
returns setof pay.used_ruleset
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select g.group_no::integer, r.id, r.hash
  from rules.position_groups(p_run.enterprise_id, pay.plan_span(p_period)) with ordinality as g (positions, term_ids, group_no)
  left join lateral (
    select s.id, s.hash
    from rules.rulesets as s
    where s.enterprise_id = p_run.enterprise_id
      and s.positions = g.positions
      and s.span = pay.plan_span(p_period)
      and s.created_at <= p_run.finished_at
    order by exists (
        select from pay.results_of(p_run) as c where c.run_id = p_run.id and c.ruleset_id = s.id) desc,
      s.created_at desc
    limit 1
  ) as r on true
$$;
comment on function pay.rulesets_of(pay.pay_runs, pay.pay_periods) is
'The rulesets that a run has used, by group of positions; call it with the terms of that time laid over the record.
p_run: the run; p_period: its period.';

-- Whether a ruleset is what its terms, as on record then, compile to.
create or replace function pay.verify_ruleset(p_enterprise uuid, p_ruleset uuid, p_terms jsonb)
returns table (kind text, term_code text, detail text)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_ruleset rules.rulesets;
  v_terms rules.compiled_term[];
  v_message text;
begin
  select r.* into v_ruleset
  from rules.rulesets as r
  where r.enterprise_id = p_enterprise and r.id = p_ruleset;
  begin
    perform rules.lay_terms(p_enterprise, p_terms);
    select array_agg(t order by t.term_no) into v_terms
    from rules.compile_terms(p_enterprise, v_ruleset.positions, v_ruleset.span, v_ruleset.graph_generation) as t;
    perform rules.lift_terms(p_enterprise);
  exception when others then
    get stacked diagnostics v_message = message_text;
    return query select 'term', null::text, format('the terms of %s don''t compile any more: %s', array_to_string(v_ruleset.positions, ', '), v_message);
    return;
  end;
  return query
    select 'term', u.term_code::text, case
        when s.term_no is null then 'the term is on record, and not in the ruleset'
        when c.term_no is null then 'the ruleset has it, and the terms on record don''t give it'
        else 'the ruleset has another formula than the term on record' end
    from (select t.* from rules.ruleset_terms as t where t.enterprise_id = p_enterprise and t.ruleset_id = p_ruleset) as s
    full join unnest(v_terms) as c on c.term_no = s.term_no
    left join rules.union_contract_terms as u on u.enterprise_id = p_enterprise and u.id = coalesce(s.term_id, c.term_id)
    where (s.term_id, s.kind, s.level, s.label, s.expanded) is distinct from (c.term_id, c.kind, c.level, c.label, c.expanded);
  if found then
    return;
  end if;
  return query
    select 'engine', null::text, format('the plan of %s is compiled otherwise now: step %s', array_to_string(v_ruleset.positions, ', '), min(coalesce(s.step_no, p.step_no)))
    from (select q.* from rules.plans as q where q.enterprise_id = p_enterprise and q.ruleset_id = p_ruleset) as p
    full join rules.assemble_plan(v_terms, v_ruleset.positions) as s on s.step_no = p.step_no
    where (s.name, s.statement) is distinct from (p.name, p.statement)
    having count(*) > 0;
end
$$;
comment on function pay.verify_ruleset(uuid, uuid, jsonb) is
'Differences between a ruleset and what the terms of its time compile to: term, or engine where the plan of equal terms differs.
p_enterprise: tenant; p_ruleset: ruleset; p_terms: from pay.terms_at().';

-- _stored against _expected, line by line.
create or replace function pay.compare_results()
returns table (kind text, crew_member_id uuid, ruleset_id uuid, term_no smallint, node bigint, stored text, recomputed text, detail text)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  return query execute $q$
    with stored_lines as (
      select s.crew_member_id, s.ruleset_id, l.term_no, l.node, l.quantity, l.cents,
        row_number() over (partition by s.crew_member_id, l.term_no, l.node order by l.quantity, l.cents) as copy
      from _stored as s
      cross join lateral unnest(s.line_term, s.line_node, s.line_quantity, s.line_cents) as l (term_no, node, quantity, cents)
    ), expected_lines as (
      select e.crew_member_id, e.ruleset_id, l.term_no, l.node, l.quantity, l.cents,
        row_number() over (partition by e.crew_member_id, l.term_no, l.node order by l.quantity, l.cents) as copy
      from _expected as e
      cross join lateral unnest(e.line_term, e.line_node, e.line_quantity, e.line_cents) as l (term_no, node, quantity, cents)
      where exists (select from _stored as s where s.crew_member_id = e.crew_member_id)
    ), totals as (
      select coalesce(s.crew_member_id, e.crew_member_id) as crew_member_id, c.name, c.stored, c.recomputed
      from _stored as s
      join _expected as e on e.crew_member_id = s.crew_member_id
      cross join lateral (values
        ('flight pay hours', s.flight_pay_hours, e.flight_pay_hours), ('flight pay', s.flight_pay_amount, e.flight_pay_amount),
        ('overtime hours', s.overtime_hours, e.overtime_hours), ('overtime', s.overtime_amount, e.overtime_amount),
        ('delay pay', s.delay_pay_amount, e.delay_pay_amount), ('per diem', s.per_diem_amount, e.per_diem_amount),
        ('premium', s.premium_pay_amount, e.premium_pay_amount), ('guarantee hours', s.guarantee_hours, e.guarantee_hours),
        ('guarantee', s.guarantee_amount, e.guarantee_amount), ('adjustments', s.adjustment_amount, e.adjustment_amount),
        ('total', s.total_gross_pay, e.total_gross_pay)) as c (name, stored, recomputed)
    )
    select 'line', coalesce(s.crew_member_id, e.crew_member_id), coalesce(s.ruleset_id, e.ruleset_id), coalesce(s.term_no, e.term_no), coalesce(s.node, e.node),
      s.quantity || ' = ' || to_char(s.cents * 0.01, 'FM9999990.00'), e.quantity || ' = ' || to_char(e.cents * 0.01, 'FM9999990.00'),
      case when s.copy is null then 'the line is missing' when e.copy is null then 'nothing gives the line' else 'the line is another' end
    from stored_lines as s
    full join expected_lines as e on e.crew_member_id = s.crew_member_id and e.term_no = s.term_no and e.node = s.node and e.copy = s.copy
    where (s.quantity, s.cents) is distinct from (e.quantity, e.cents)
    union all
    select 'result', t.crew_member_id, null, null, null, t.stored::text, t.recomputed::text, t.name
    from totals as t
    where t.stored is distinct from t.recomputed
    union all
    select 'result', e.crew_member_id, null, null, null, null, e.total_gross_pay::text, 'the result is missing'
    from _expected as e
    where not exists (select from _stored as s where s.crew_member_id = e.crew_member_id)
    union all
    select 'result', s.crew_member_id, null, null, null, s.total_gross_pay::text, null, 'nothing gives the result'
    from _stored as s
    where not exists (select from _expected as e where e.crew_member_id = s.crew_member_id)$q$;
end
$$;
comment on function pay.compare_results() is
'Differences between _stored and _expected: lines, totals, results that only one side has.';

create or replace function pay.verify_run(p_run uuid)
returns table (kind text, employee_id text, term_code text, level text, node bigint, stored text, recomputed text, detail text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
set work_mem = '256MB'
set enable_nestloop = on
as $$
declare
  v_run pay.pay_runs;
  v_period pay.pay_periods;
  v_own pay.pay_runs;
  v_crew uuid[];
  v_runs uuid[];
  v_tokens jsonb;
  v_terms jsonb;
  v_groups pay.used_ruleset[];
  v_group pay.used_ruleset;
  v_sum record;
  v_inputs text := '';
begin
  perform auth.require_role('payroll', 'admin', 'service_role', 'jobs');
  v_run := pay.finished_run(p_run);
  if v_run.kind not in ('REGULAR', 'RETRO') then
    raise exception using
      errcode = '22023',
      message = format('a run of kind %s pays nothing', v_run.kind),
      hint = 'Verify REGULAR and RETRO runs: select id, kind from pay.pay_runs where kind in (''REGULAR'', ''RETRO'').';
  end if;
  select p.* into v_period
  from pay.pay_periods as p
  where p.enterprise_id = v_run.enterprise_id and p.id = v_run.pay_period_id;

  drop table if exists pg_temp._stored, pg_temp._expected, pg_temp._adjusted, pg_temp._verified;
  create temporary table _stored on commit drop as select * from pay.results_of(v_run);
  create temporary table _expected on commit drop as
    select c.run_id, c.ruleset_id, c.crew_member_id, c.flight_pay_hours, c.flight_pay_amount, c.overtime_hours, c.overtime_amount, c.delay_pay_amount,
      c.per_diem_amount, c.premium_pay_amount, c.guarantee_hours, c.guarantee_amount, c.adjustment_amount, c.total_gross_pay,
      c.line_term, c.line_node, c.line_quantity, c.line_cents
    from pay.calculation_versions as c
    where false;
  create temporary table _verified (kind text, ruleset_id uuid, term_code text, detail text) on commit drop;
  -- What a run paid as adjustments: those that it, or one before it, paid first.
  create temporary table _adjusted on commit drop as
    select own.id as run_id, a.crew_member_id, a.adjustment_no, a.amount
    from pay.pay_runs as own
    join pay.adjustments as a on a.enterprise_id = own.enterprise_id and a.pay_period_id = own.pay_period_id and a.state = 'PAID'
    join pay.pay_runs as paid on paid.enterprise_id = a.enterprise_id and paid.id = a.paid_by_run and paid.finished_at <= own.finished_at
    where own.enterprise_id = v_run.enterprise_id and own.pay_period_id = v_run.pay_period_id;

  execute 'select array_agg(distinct s.run_id) from _stored as s' into v_runs;
  for v_own in
    select r.*
    from pay.pay_runs as r
    where r.enterprise_id = v_run.enterprise_id and (r.id = p_run or r.id = any (v_runs))
    order by r.finished_at
  loop
    if v_own.id = p_run and v_own.whole_period then
      v_crew := v_own.refreshed_crew;
    else
      execute 'select array_agg(s.crew_member_id) from _stored as s where s.run_id = $1' into v_crew using v_own.id;
    end if;
    v_tokens := pay.tokens_of_run(pay.plan_tokens(v_run.enterprise_id, v_period, v_crew), v_period, v_own);
    v_terms := pay.terms_at(v_run.enterprise_id, v_own.as_of);
    perform set_config('enable_nestloop', case when v_crew is null or cardinality(v_crew) > 20 then 'off' else 'on' end, true);
    v_inputs := '';
    perform rules.lay_terms(v_run.enterprise_id, v_terms);
    v_groups := array(select g from pay.rulesets_of(v_own, v_period) as g order by g.group_no);
    perform rules.lift_terms(v_run.enterprise_id);
    foreach v_group in array v_groups loop
      if v_group.ruleset_id is null then
        execute 'insert into _verified values (''input'', null, null, ''the rulesets of the run are not all known: its facts are not compared'')';
        continue;
      end if;
      select x.leg_count, x.input_sum into v_sum
      from pay.expect_results(v_own, v_group.ruleset_id, v_tokens) as x;
      v_inputs := v_inputs || format('|%s:%s', v_group.ruleset_hash, v_sum.input_sum);
      execute 'insert into _verified select v.kind, $2, v.term_code, v.detail from pay.verify_ruleset($1, $2, $3) as v'
      using v_run.enterprise_id, v_group.ruleset_id, v_terms;
    end loop;
    -- Of results that are carried over, the facts were compared with their own run's.
    if v_own.id = p_run and v_own.whole_period then
      execute $q$
        insert into _verified
        select 'input', null, null, 'the facts on record then are not those that the run has read'
        where $1 is distinct from encode(sha256(convert_to($2, 'UTF8')), 'hex')
          and not exists (select from _verified as v where v.kind = 'input')$q$
      using v_own.input_hash, coalesce((
        select b.input_hash from pay.pay_runs as b where b.enterprise_id = v_own.enterprise_id and b.id = v_own.carried_from), '') || v_inputs;
    end if;
  end loop;

  -- Who was not employed then got adjustments alone.
  execute $q$
    insert into _expected
    select s.run_id, s.ruleset_id, s.crew_member_id, 0, 0, 0, 0, 0, 0, 0, null, 0, a.amount, a.amount, a.line_term, a.line_node, a.line_quantity, a.line_cents
    from _stored as s
    join (
      select d.run_id, d.crew_member_id, sum(d.amount) as amount,
        array_agg(0::smallint order by d.adjustment_no) as line_term, array_agg(d.adjustment_no order by d.adjustment_no) as line_node,
        array_agg(1::numeric order by d.adjustment_no) as line_quantity, array_agg((d.amount * 100)::integer order by d.adjustment_no) as line_cents
      from _adjusted as d
      group by d.run_id, d.crew_member_id
    ) as a on a.run_id = s.run_id and a.crew_member_id = s.crew_member_id
    where not exists (select from _expected as e where e.crew_member_id = s.crew_member_id)$q$;

  return query execute $q$
    with found as (
      select 1 as rank, f.kind, f.crew_member_id, t.term_id, f.term_no, t.level, f.node, f.stored, f.recomputed, f.detail, null::text as term_code
      from pay.compare_results() as f
      left join rules.ruleset_terms as t on t.enterprise_id = $1.enterprise_id and t.ruleset_id = f.ruleset_id and t.term_no = f.term_no
      union all
      select distinct 2, v.kind, null::uuid, null::uuid, null::smallint, null, null::bigint, null, null, v.detail, v.term_code
      from _verified as v
      union all
      select 3, 'run', null, null, null, null, null, c.stored, c.recomputed, c.name, null
      from (
        select count(*) as crew_count, coalesce(sum(cardinality(s.line_cents)), 0) as line_count, coalesce(sum(s.total_gross_pay), 0) as total_amount,
          encode(sha256(coalesce(string_agg(
            sha256(uuid_send(s.crew_member_id) || array_send(s.line_term) || array_send(s.line_node) || array_send(s.line_quantity) || array_send(s.line_cents)),
            ''::bytea order by s.crew_member_id), '')), 'hex') as result_hash
        from _stored as s
      ) as now
      cross join lateral (values
        ('crew members', $1.crew_count::text, now.crew_count::text), ('lines', $1.line_count::text, now.line_count::text),
        ('total', $1.total_amount::text, now.total_amount::text), ('hash of the results', $1.result_hash, now.result_hash)) as c (name, stored, recomputed)
      where c.stored is distinct from c.recomputed
      union all
      select 4, 'engine', null, null, null, null, null, $1.engine_version, pay.engine_version(), 'the engine has another version', null
      where $1.engine_version <> pay.engine_version()
      union all
      select 5, 'time zone', null, null, null, null, null, $1.time_zone_version, pay.time_zone_version(), 'the server has other time zone data', null
      where $1.time_zone_version is distinct from pay.time_zone_version()
    )
    select f.kind, m.employee_id::text, coalesce(f.term_code, u.term_code, case when f.term_no = 0 then 'ADJUSTMENT' end)::text, f.level, f.node,
      f.stored, f.recomputed, f.detail
    from found as f
    left join crew.crew_members as m on m.enterprise_id = $1.enterprise_id and m.id = f.crew_member_id
    left join rules.union_contract_terms as u on u.enterprise_id = $1.enterprise_id and u.id = f.term_id
    order by f.rank, m.employee_id, f.kind, f.term_no, f.node, f.detail$q$
  using v_run;
end
$$;
alter function pay.verify_run(uuid) owner to crewpay_definer;
revoke all on function pay.verify_run(uuid) from public;
grant execute on function pay.verify_run(uuid) to crewpay_payroll, crewpay_admin, crewpay_service, crewpay_jobs;
comment on function pay.verify_run(uuid) is
'Computes a run again from the facts and terms on record as of it, under the rulesets it used, and compares; no rows: it is proved. kind: line, result
(a total, or a result that only one side has), run (its counts and hash), input (facts that it read have changed behind the database''s back), term (the
ruleset is not what the terms of then compile to), engine and time zone (computed by another version: differences may come from that).
p_run: a finished REGULAR or RETRO run of the caller''s enterprise, current or superseded.
Raises 22023 (another kind of run), 42501, CP214 (unknown run).';
