-- What a proposed contract would cost: its terms compiled in place of those on record and run over real periods, set against what
-- the books say was paid for them. Nothing is written: terms lie over the record for this transaction only, results in its temporary tables.

-- The periods asked for, first to last, each with results to compare with.
create or replace function pay.costed_periods(p_enterprise uuid, p_periods uuid[])
returns setof pay.pay_periods
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_bad text;
begin
  select asked.id::text into v_bad
  from unnest(p_periods) as asked (id)
  where not exists (select from pay.pay_periods as p where p.enterprise_id = p_enterprise and p.id = asked.id)
  limit 1;
  if found or coalesce(cardinality(p_periods), 0) = 0 then
    raise exception using
      errcode = 'CP214',
      message = coalesce('no pay period ' || v_bad, 'no pay period is given'),
      hint = 'List them: select id, start_date, end_date from pay.pay_periods.';
  end if;
  select concat_ws(' to ', p.start_date, p.end_date) into v_bad
  from pay.pay_periods as p
  where p.enterprise_id = p_enterprise and p.id = any (p_periods)
    and not exists (select from pay.pay_calculations as c where c.enterprise_id = p.enterprise_id and c.pay_period_id = p.id)
  order by p.start_date
  limit 1;
  if found then
    raise exception using
      errcode = 'CP311',
      message = format('the pay period %s has no results to compare with', v_bad),
      hint = 'Run it first: select pay.run(…), or leave it out.';
  end if;
  return query
    select p.*
    from pay.pay_periods as p
    where p.enterprise_id = p_enterprise and p.id = any (p_periods)
    order by p.start_date;
end
$$;
comment on function pay.costed_periods(uuid, uuid[]) is
'Periods that have results, in order.
p_enterprise: tenant; p_periods: their keys. Raises CP214 (unknown, or none), CP311 (without results).';

create or replace function pay.cost_group(p_period pay.pay_periods, p_positions crew.crew_position[], p_generation bigint, p_tokens jsonb)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_terms rules.compiled_term[];
  v_step record;
  v_findings integer;
begin
  select array_agg(t order by t.term_no) into v_terms
  from rules.compile_terms(p_period.enterprise_id, p_positions, pay.plan_span(p_period), p_generation) as t;
  for v_step in
    select s.name, s.statement from rules.assemble_plan(v_terms, p_positions) as s order by s.step_no
  loop
    perform pay.stage_step(v_step.name, v_step.statement, p_tokens);
  end loop;
  execute $q$
    insert into _costs (crew_member_id, component, cents)
    select p.id, t.component, sum(l.cents)
    from _lines as l
    join _people as p on p.no = l.no
    join unnest($1, $2) as t (term_no, component) on t.term_no = l.term_no
    where l.cents <> 0
    group by p.id, t.component$q$
  using array(select t.term_no from unnest(v_terms) as t), array(select t.component::pay.component from unnest(v_terms) as t);
  execute 'select count(*) from _findings' into v_findings;
  return v_findings;
end
$$;
comment on function pay.cost_group(pay.pay_periods, crew.crew_position[], bigint, jsonb) is
'Runs the terms laid over the record for one group of positions; what they cost goes to _costs. Returns the number of findings.
p_period: the period; p_positions: a group of rules.position_groups(); p_generation: rule graph; p_tokens: from pay.plan_tokens().';

-- What the books say: results as they stand, without what no term pays (adjustments, overrides).
create or replace function pay.booked_costs(p_enterprise uuid, p_periods uuid[])
returns table (crew_member_id uuid, component pay.component, amount numeric)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select c.crew_member_id, parts.component, sum(parts.amount - coalesce(o.amount, 0))
  from pay.pay_calculations as c
  cross join lateral (values
    ('flight_pay'::pay.component, c.flight_pay_amount), ('overtime', c.overtime_amount), ('per_diem', c.per_diem_amount),
    ('premium', c.premium_pay_amount), ('delay_pay', c.delay_pay_amount), ('guarantee', c.guarantee_amount)) as parts (component, amount)
  left join lateral (
    select sum(l.cents) * 0.01 as amount
    from unnest(c.line_term, c.line_cents) as l (term_no, cents)
    where l.term_no < 0 and l.term_no = pay.override_term(parts.component)
  ) as o on true
  where c.enterprise_id = p_enterprise and c.pay_period_id = any (p_periods)
  group by c.crew_member_id, parts.component
$$;
comment on function pay.booked_costs(uuid, uuid[]) is
'What some periods pay by component and crew member, adjustments and overrides left out.
p_enterprise: tenant; p_periods: periods.';

-- One side by side: the sums of a grouping as JSON rows.
create or replace function pay.cost_report(p_enterprise uuid, p_periods uuid[])
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_report jsonb;
begin
  execute $q$
    with sides as (
      select b.crew_member_id, b.component, b.amount as books, 0::numeric as proposed
      from pay.booked_costs($1, $2) as b
      union all
      select c.crew_member_id, c.component, 0, c.cents * 0.01
      from _costs as c
    ),
    costs as materialized (
      select s.crew_member_id, s.component, sum(s.books) as books, sum(s.proposed) as proposed
      from sides as s
      group by s.crew_member_id, s.component
    ),
    people as materialized (
      select m.employee_id, m.position::text as crew_position, m.base_location::text as base, t.books, t.proposed, t.proposed - t.books as difference,
        ntile(10) over (order by t.books, m.employee_id) as decile
      from (select c.crew_member_id, sum(c.books) as books, sum(c.proposed) as proposed from costs as c group by c.crew_member_id) as t
      join crew.crew_members as m on m.enterprise_id = $1 and m.id = t.crew_member_id
    ),
    groups as (
      select 'by_base' as part, p.base as name, null::numeric as least, count(*) as crew, sum(p.books) as books, sum(p.proposed) as proposed
      from people as p group by p.base
      union all
      select 'by_position', p.crew_position, null, count(*), sum(p.books), sum(p.proposed) from people as p group by p.crew_position
      union all
      select 'by_component', c.component::text, null, count(*) filter (where c.books <> 0 or c.proposed <> 0), sum(c.books), sum(c.proposed)
      from costs as c group by c.component
      union all
      select 'by_decile', to_char(p.decile, 'FM00'), min(p.books), count(*), sum(p.books), sum(p.proposed) from people as p group by p.decile
    ),
    listed as (
      select g.part, jsonb_agg(
        jsonb_strip_nulls(jsonb_build_object('name', g.name, 'crew', g.crew, 'books_from', g.least)) || jsonb_build_object(
          'books', g.books, 'proposed', g.proposed, 'difference', g.proposed - g.books) order by g.name) as rows
      from groups as g
      group by g.part
    ),
    extremes as (
      select e.part, jsonb_agg(to_jsonb(e) - 'part' - 'rank' - 'decile' order by e.rank) as rows
      from (
        select 'winners' as part, row_number() over (order by p.difference desc, p.employee_id) as rank, p.* from people as p where p.difference > 0
        union all
        select 'losers', row_number() over (order by p.difference, p.employee_id), p.* from people as p where p.difference < 0
      ) as e
      where e.rank <= 10
      group by e.part
    )
    select jsonb_build_object(
        'crew', count(*), 'books', coalesce(sum(p.books), 0), 'proposed', coalesce(sum(p.proposed), 0), 'difference', coalesce(sum(p.difference), 0),
        'gaining', count(*) filter (where p.difference > 0), 'losing', count(*) filter (where p.difference < 0), 'winners', '[]'::jsonb, 'losers', '[]'::jsonb)
      || (select jsonb_object_agg(l.part, l.rows) from (select * from listed union all select * from extremes) as l)
    from people as p$q$
  into v_report
  using p_enterprise, p_periods;
  return v_report;
end
$$;
comment on function pay.cost_report(uuid, uuid[]) is
'The books against what is in _costs: total, by base, position, component and decile of booked pay, and who gains or loses most.
p_enterprise: tenant; p_periods: periods of the books.';

-- The facts that the books were made from, so that the proposal alone makes the difference: not a flight that was corrected since, nor
-- somebody promoted. Advances are left as the books have them.
create or replace function pay.tokens_of_books(p_period pay.pay_periods)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select pay.tokens_as_of(t.tokens, p_period, (
      select max(r.as_of)
      from pay.pay_runs as r
      where r.enterprise_id = p_period.enterprise_id and r.pay_period_id = p_period.id and r.kind = 'REGULAR'
        and r.id in (select c.run_id from pay.pay_calculations as c where c.enterprise_id = p_period.enterprise_id and c.pay_period_id = p_period.id)))
    || jsonb_build_object('@advances@', t.tokens -> '@advances@', '@keeps_advances@', t.tokens -> '@keeps_advances@')
  from (select pay.plan_tokens(p_period.enterprise_id, p_period, null) as tokens) as t
$$;
comment on function pay.tokens_of_books(pay.pay_periods) is
'A plan''s tokens with the facts that the results of a period were made from.
p_period: a period that has results.';

create or replace function pay.what_if(p_enterprise uuid, p_periods uuid[], p_changes jsonb)
returns jsonb
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
  v_current bigint;
  v_generation bigint;
  v_period pay.pay_periods;
  v_changes jsonb;
  v_tokens jsonb;
  v_terms jsonb;
  v_findings integer := 0;
  v_group record;
begin
  perform auth.require_role('admin', 'payroll', 'service_role');
  perform auth.require_enterprise(p_enterprise);
  perform pay.costed_periods(p_enterprise, p_periods);
  v_changes := p_changes || case when p_changes ? 'terms' then jsonb_build_object('terms', rules.completed_terms(p_enterprise, p_changes -> 'terms')) else '{}'::jsonb end;
  perform rules.check_document(v_changes);

  select jsonb_agg(jsonb_build_object('code', t.term_code, 'change', t.change, 'term', t.term)) into v_terms
  from rules.proposed_terms(p_enterprise, coalesce(v_changes -> 'terms', '[]')) as t;
  perform rules.lay_terms(p_enterprise, (select jsonb_agg(t -> 'term') from jsonb_array_elements(v_terms) as t where t ->> 'change' <> 'removed'));
  v_current := coalesce(rules.accepted_generation(p_enterprise), -1);
  v_generation := v_current;
  if v_changes ?| array['scenarios', 'components', 'edges'] then
    -- Its own number, and gone again below: never accepted.
    v_generation := -1000 - pg_current_xact_id()::text::bigint;
    perform rules.lay_graph(p_enterprise, v_changes, v_current, v_generation);
  end if;

  drop table if exists pg_temp._costs;
  create temporary table _costs (crew_member_id uuid, component pay.component, cents bigint) on commit drop;
  for v_period in select * from pay.costed_periods(p_enterprise, p_periods) loop
    v_tokens := pay.tokens_of_books(v_period);
    for v_group in select g.positions from pay.run_groups(v_period) as g loop
      v_findings := v_findings + pay.cost_group(v_period, v_group.positions, v_generation, v_tokens);
    end loop;
  end loop;
  perform rules.lift_terms(p_enterprise);
  if v_generation <> v_current then
    perform rules.drop_graph(p_enterprise, v_generation);
  end if;

  return jsonb_build_object(
      'periods', (
        select jsonb_agg(jsonb_build_object('start_date', p.start_date, 'end_date', p.end_date) order by p.start_date)
        from pay.costed_periods(p_enterprise, p_periods) as p),
      'currency', (select e.currency from platform.enterprises as e where e.id = p_enterprise),
      'terms', (
        select coalesce(jsonb_agg(jsonb_build_object('code', t -> 'code', 'change', t -> 'change') order by t ->> 'code'), '[]')
        from jsonb_array_elements(v_terms) as t
        where t ->> 'change' <> 'unchanged'),
      'findings', v_findings)
    || pay.cost_report(p_enterprise, p_periods);
end
$$;
alter function pay.what_if(uuid, uuid[], jsonb) owner to crewpay_definer;
revoke all on function pay.what_if(uuid, uuid[], jsonb) from public;
grant execute on function pay.what_if(uuid, uuid[], jsonb) to crewpay_admin, crewpay_payroll, crewpay_service;
comment on function pay.what_if(uuid, uuid[], jsonb) is
'What a proposed contract would have cost in real periods, against the books: {"periods","currency","terms","findings","crew","books","proposed",
"difference","gaining","losing","by_base","by_position","by_component","by_decile","winners","losers"}. Nothing is stored.
p_enterprise: tenant; p_periods: periods that have results; p_changes: a contract document with the terms, scenarios and edges that would be
different. Of a term on record code and what changes are enough; {"code", "expires"} removes one. Dates don''t matter: the proposal holds throughout.
The books are results as they stand, without adjustments and overrides; what is proposed is computed from the facts they were made from. Call it in a
REPEATABLE READ transaction where results may change meanwhile.
Raises 42501, CP201 to CP207 (the document), CP213 (no terms left), CP214 (unknown period), CP311 (a period has no results).';
