-- Why two results of one period differ. Pay is computed again for those who differ, from one state of the inputs to the other, one
-- kind of input at a time: facts, then the rates of crew members and of the contract, then the other terms, then the rule graph.
-- What each step changes is its cause; what is left, with equal inputs, is the engine's.

create or replace function pay.terms_at(p_enterprise uuid, p_at timestamptz)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(to_jsonb(t) order by t.id), '[]')
  from rules.terms_as_of(p_at) as t
  where t.enterprise_id = p_enterprise
$$;
comment on function pay.terms_at(uuid, timestamptz) is
'The terms on record at a moment, as rules.lay_terms() takes them.
p_enterprise: tenant; p_at: the moment.';

create or replace function pay.is_rate_term(p_term jsonb)
returns boolean
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
return coalesce(p_term -> 'calculation_formula' ->> 'type', p_term -> 'calculation_formula' ->> 'kind') is not distinct from 'hourly_rate';
comment on function pay.is_rate_term(jsonb) is 'Whether a term is a table of hourly rates.
p_term: a row of rules.union_contract_terms.';

-- The terms of one state with the rate tables of another.
create or replace function pay.terms_with_rates(p_terms jsonb, p_rates jsonb)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(t.term), '[]')
  from (
    select value as term from jsonb_array_elements(p_terms) where not pay.is_rate_term(value)
    union all
    select value from jsonb_array_elements(p_rates) where pay.is_rate_term(value)
  ) as t
$$;
comment on function pay.terms_with_rates(jsonb, jsonb) is
'Terms, with the rate tables of others.
p_terms, p_rates: from pay.terms_at().';

-- One step: what the period would pay by component, in cents, added to _steps.
create or replace function pay.cost_step(p_step text, p_period pay.pay_periods, p_terms jsonb, p_generation bigint, p_tokens jsonb)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_group record;
begin
  perform rules.lay_terms(p_period.enterprise_id, p_terms);
  execute 'drop table if exists pg_temp._costs';
  execute 'create temporary table _costs (crew_member_id uuid, component pay.component, cents bigint) on commit drop';
  for v_group in select g.positions from pay.run_groups(p_period) as g loop
    perform pay.cost_group(p_period, v_group.positions, p_generation, p_tokens);
  end loop;
  perform rules.lift_terms(p_period.enterprise_id);
  -- A row of nobody's says that the step was taken: it may pay nobody anything.
  execute $q$
    insert into _steps (step, crew_member_id, component, cents)
    select $1, c.crew_member_id, c.component, sum(c.cents) from _costs as c group by c.crew_member_id, c.component
    union all
    select $1, null, null, 0$q$
  using p_step;
end
$$;
comment on function pay.cost_step(text, pay.pay_periods, jsonb, bigint, jsonb) is
'Computes a period under given terms and facts; what it would pay goes to _steps.
p_step: name of the step; p_period: the period; p_terms: from pay.terms_at(); p_generation: of the rule graph; p_tokens: from pay.plan_tokens().';

create or replace function pay.finished_run(p_run uuid)
returns pay.pay_runs
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_run pay.pay_runs;
begin
  select r.* into v_run
  from pay.pay_runs as r
  where r.enterprise_id = auth.enterprise_id() and r.id = p_run and r.state in ('published', 'superseded');
  if not found then
    raise exception using
      errcode = 'CP214',
      message = format('no finished run %s', p_run),
      hint = 'List them: select id, kind, as_of, state from pay.pay_runs.';
  end if;
  return v_run;
end
$$;
comment on function pay.finished_run(uuid) is
'A finished run of the caller''s enterprise.
p_run: run. Raises CP214.';

create or replace function pay.stage_sides(p_first_run pay.pay_runs, p_second_run pay.pay_runs)
returns uuid[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_crew uuid[];
begin
  execute 'drop table if exists pg_temp._steps';
  execute 'create temporary table _steps (step text, crew_member_id uuid, component pay.component, cents bigint) on commit drop';
  execute $q$
    with sides as (
      select 'first' as step, r.* from pay.results_of($1) as r
      union all
      select 'second', r.* from pay.results_of($2) as r
    )
    insert into _steps (step, crew_member_id, component, cents)
    select s.step, s.crew_member_id, parts.component, parts.amount * 100 - coalesce(o.cents, 0)
    from sides as s
    cross join lateral (values
      ('flight_pay'::pay.component, s.flight_pay_amount), ('overtime', s.overtime_amount), ('per_diem', s.per_diem_amount),
      ('premium', s.premium_pay_amount), ('delay_pay', s.delay_pay_amount), ('guarantee', s.guarantee_amount),
      ('adjustment', s.adjustment_amount)) as parts (component, amount)
    left join lateral (
      select sum(l.cents) as cents
      from unnest(s.line_term, s.line_cents) as l (term_no, cents)
      where l.term_no < 0 and l.term_no = pay.override_term(parts.component)
    ) as o on true
    union all
    select s.step || ' override', s.crew_member_id, pay.overridden_component(l.term_no), l.cents
    from sides as s
    cross join lateral unnest(s.line_term, s.line_cents) as l (term_no, cents)
    where l.term_no < 0$q$
  using p_first_run, p_second_run;
  execute $q$
    select coalesce(array_agg(distinct d.crew_member_id order by d.crew_member_id), '{}')
    from (
      select s.crew_member_id
      from _steps as s
      group by s.crew_member_id, s.component
      having coalesce(sum(s.cents) filter (where s.step like 'first%'), 0) <> coalesce(sum(s.cents) filter (where s.step like 'second%'), 0)
        or count(distinct split_part(s.step, ' ', 1)) = 1
    ) as d$q$
  into v_crew;
  return v_crew;
end
$$;
comment on function pay.stage_sides(pay.pay_runs, pay.pay_runs) is
'Puts the stored amounts of two runs into _steps as first and second; returns the crew members whose amounts differ.
p_first_run, p_second_run: runs of one period.';

-- Takes the steps from the first run to the second.
create or replace function pay.find_causes(
  p_period pay.pay_periods, p_crew uuid[], p_first_run pay.pay_runs, p_second_run pay.pay_runs, p_second_at timestamptz)
returns table (crew_member_id uuid, component pay.component, cause text, cents bigint)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_tokens jsonb := pay.plan_tokens(p_period.enterprise_id, p_period, p_crew);
  -- Back pay leaves advances as the books have them.
  v_kept jsonb := case when 'RETRO' in (p_first_run.kind, p_second_run.kind)
    then jsonb_build_object('@advances@', v_tokens -> '@advances@', '@keeps_advances@', v_tokens -> '@keeps_advances@') else '{}' end;
  v_first jsonb := pay.tokens_of_run(v_tokens, p_period, p_first_run) || v_kept;
  v_second jsonb := pay.tokens_as_of(v_tokens, p_period, p_second_at) || v_kept;
  v_members_at timestamptz := coalesce(p_second_run.members_as_of, p_second_run.as_of);
  v_first_rates_at timestamptz := coalesce(p_first_run.rates_as_of, p_first_run.as_of);
  v_rates_at timestamptz := coalesce(p_second_run.rates_as_of, p_second_run.as_of);
  v_terms jsonb := pay.terms_at(p_period.enterprise_id, p_first_run.as_of);
  v_terms_then jsonb := pay.terms_at(p_period.enterprise_id, p_second_run.as_of);
  v_rated jsonb := pay.terms_with_rates(v_terms, v_terms_then);
begin
  perform pay.cost_step('0', p_period, v_terms, p_first_run.graph_generation, v_first);
  v_second := v_second || jsonb_build_object('@members@', pay.members_sql(v_members_at, v_first_rates_at, p_second_at));
  perform pay.cost_step('1 fact', p_period, v_terms, p_first_run.graph_generation, v_second);
  if v_rates_at <> v_first_rates_at then
    v_second := v_second || jsonb_build_object('@members@', pay.members_sql(v_members_at, v_rates_at, p_second_at));
    perform pay.cost_step('2 rate', p_period, v_terms, p_first_run.graph_generation, v_second);
  end if;
  if v_rated <> pay.terms_with_rates(v_terms, v_terms) then
    perform pay.cost_step('3 rate', p_period, v_rated, p_first_run.graph_generation, v_second);
  end if;
  if pay.terms_with_rates(v_terms_then, '[]') <> pay.terms_with_rates(v_terms, '[]') then
    perform pay.cost_step('4 term', p_period, v_terms_then, p_first_run.graph_generation, v_second);
  end if;
  if p_second_run.graph_generation <> p_first_run.graph_generation then
    perform pay.cost_step('5 rule graph', p_period, v_terms_then, p_second_run.graph_generation, v_second);
  end if;
  return query execute $q$
    with named as (
      -- The stored results stand at both ends: whatever they don't share with their own inputs is the engine's.
      select case s.step when 'first' then ' first' when 'second' then '9 engine' else s.step end as step, s.crew_member_id, s.component, s.cents
      from _steps as s
      where s.crew_member_id = any ($1) and s.component <> 'adjustment' and s.step not like '% override'
    ), taken as (
      select s.step from _steps as s where s.crew_member_id is null
      union
      values (' first'), ('9 engine')
    ), amounts as (
      select t.step, k.crew_member_id, k.component, coalesce(sum(n.cents), 0)::bigint as cents
      from taken as t
      cross join (select distinct n.crew_member_id, n.component from named as n) as k
      left join named as n on n.step = t.step and n.crew_member_id = k.crew_member_id and n.component = k.component
      group by t.step, k.crew_member_id, k.component
    ), changes as (
      select a.crew_member_id, a.component, case when a.step = '0' then 'engine' else substr(a.step, 3) end as cause,
        a.cents - lag(a.cents) over (partition by a.crew_member_id, a.component order by a.step) as cents
      from amounts as a
    )
    select c.crew_member_id, c.component, c.cause, sum(c.cents)::bigint
    from changes as c
    where c.cents is not null
    group by c.crew_member_id, c.component, c.cause
    having sum(c.cents) <> 0
    union all
    select s.crew_member_id, s.component, 'override', sum(case s.step when 'second override' then s.cents else -s.cents end)::bigint
    from _steps as s
    where s.crew_member_id = any ($1) and s.step like '% override'
    group by s.crew_member_id, s.component
    having sum(case s.step when 'second override' then s.cents else -s.cents end) <> 0
    union all
    select s.crew_member_id, s.component, 'adjustment', sum(case s.step when 'second' then s.cents else -s.cents end)::bigint
    from _steps as s
    where s.crew_member_id = any ($1) and s.component = 'adjustment'
    group by s.crew_member_id, s.component
    having sum(case s.step when 'second' then s.cents else -s.cents end) <> 0$q$
  using p_crew;
end
$$;
comment on function pay.find_causes(pay.pay_periods, uuid[], pay.pay_runs, pay.pay_runs, timestamptz) is
'By crew member and component, in cents, what made the amounts of two runs of a period differ: fact, rate, term, rule graph, override, adjustment; engine
where equal inputs gave other amounts.
p_period: the period; p_crew: from pay.stage_sides(); p_first_run, p_second_run: the runs; p_second_at: when the facts of the second were on record,
infinity: now.';

create or replace function pay.diff(p_first_run uuid, p_second_run uuid)
returns table (employee_id text, crew_member_id uuid, component pay.component, cause text, first_amount numeric, second_amount numeric, difference numeric)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
set work_mem = '256MB'
as $$
declare
  v_first pay.pay_runs;
  v_second pay.pay_runs;
  v_period pay.pay_periods;
  v_crew uuid[];
begin
  perform auth.require_role('payroll', 'admin', 'service_role');
  v_first := pay.finished_run(p_first_run);
  v_second := pay.finished_run(p_second_run);
  if v_first.pay_period_id <> v_second.pay_period_id then
    raise exception using
      errcode = '22023',
      message = 'the two runs are of different periods',
      hint = 'Compare two runs of one period: select id, as_of from pay.pay_runs where pay_period_id = ….';
  elsif v_first.kind not in ('REGULAR', 'RETRO') or v_second.kind not in ('REGULAR', 'RETRO') then
    raise exception using
      errcode = '22023',
      message = 'only what pays is compared',
      hint = 'Compare runs of kind REGULAR or RETRO: select id, kind, as_of from pay.pay_runs where pay_period_id = ….';
  end if;
  select p.* into v_period
  from pay.pay_periods as p
  where p.enterprise_id = v_first.enterprise_id and p.id = v_first.pay_period_id;
  v_crew := pay.stage_sides(v_first, v_second);
  if v_crew = '{}' then
    return;
  end if;
  return query execute $q$
    with causes as materialized (
      select c.* from pay.find_causes($1, $2, $3, $4, $4.as_of) as c
    ), sides as (
      select s.crew_member_id, s.component, sum(s.cents) filter (where s.step like 'first%') as first_cents, sum(s.cents) filter (where s.step like 'second%') as second_cents
      from _steps as s
      where s.step ~ '^(first|second)'
      group by s.crew_member_id, s.component
    )
    select m.employee_id::text, m.id, c.component, c.cause,
      (coalesce(s.first_cents, 0) * 0.01)::numeric(12, 2), (coalesce(s.second_cents, 0) * 0.01)::numeric(12, 2), (c.cents * 0.01)::numeric(12, 2)
    from causes as c
    join crew.crew_members as m on m.enterprise_id = $3.enterprise_id and m.id = c.crew_member_id
    left join sides as s on s.crew_member_id = c.crew_member_id and s.component = c.component
    order by m.employee_id, c.component, c.cause$q$
  using v_period, v_crew, v_first, v_second;
end
$$;
alter function pay.diff(uuid, uuid) owner to crewpay_definer;
revoke all on function pay.diff(uuid, uuid) from public;
grant execute on function pay.diff(uuid, uuid) to crewpay_payroll, crewpay_admin, crewpay_service;
comment on function pay.diff(uuid, uuid) is
'Why two runs of one period differ, by crew member, component and cause (fact, rate, term, rule graph, override, adjustment; engine where equal inputs gave other
amounts): amounts of the component in both runs, and the part of the difference that the cause made. Nothing is stored.
p_first_run, p_second_run: finished runs of the caller''s enterprise, of kind REGULAR or RETRO. Raises 22023 (different periods, or another kind), 42501,
CP214 (unknown run).';
