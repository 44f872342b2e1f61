-- Running a plan: its tokens are filled in, then its stages become temporary tables, one after the other.

-- The value of each token of a plan, as SQL literals.
create or replace function pay.plan_tokens(p_enterprise uuid, p_period pay.pay_periods, p_crew uuid[])
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_month record;
  v_low timestamptz;
  v_high timestamptz;
  -- By key up to here, by scanning the span beyond.
  v_is_few boolean := coalesce(cardinality(p_crew) <= 1000, false);
begin
  select m.* into v_month from crew.contract_month(p_enterprise, p_period.contract_month) as m;
  -- Trips are staged whole, so the span of legs reaches to the ends of the trips that overlap the month to date.
  select
    least(p_period.contract_month::timestamptz - interval '2 days', min(t.start_at) - interval '1 day'),
    greatest(p_period.end_date::timestamptz + interval '3 days', max(t.end_at) + interval '1 day')
  into v_low, v_high
  from crew.trips as t
  where t.enterprise_id = p_enterprise
    and (p_crew is null or t.crew_member_id = any (p_crew))
    and t.start_at < p_period.end_date::timestamptz + interval '2 days'
    and t.start_at > p_period.contract_month::timestamptz - interval '40 days'
    and t.end_at >= p_period.contract_month::timestamptz - interval '1 day';

  return jsonb_build_object(
    '@enterprise@', format('%L::uuid', p_enterprise),
    '@crew@', case when p_crew is null then 'null::uuid[]' else format('%L::uuid[]', p_crew) end,
    '@month_first@', format('%L::date', p_period.contract_month),
    '@month_last@', format('%L::date', v_month.last_day),
    '@quarter_first@', format('%L::date', v_month.quarter),
    '@quarter_first_day@', (v_month.quarter - date '1970-01-01')::text,
    '@year_first@', format('%L::date', v_month.year),
    '@year_first_day@', (v_month.year - date '1970-01-01')::text,
    '@period_index@', (select count(*) from pay.pay_periods as p
      where p.enterprise_id = p_enterprise and p.contract_month = p_period.contract_month and p.start_date <= p_period.start_date)::text,
    '@month_first_day@', (p_period.contract_month - date '1970-01-01')::text,
    '@period_first@', format('%L::date', p_period.start_date),
    '@period_last@', format('%L::date', p_period.end_date),
    '@period_first_day@', (p_period.start_date - date '1970-01-01')::text,
    '@period_last_day@', (p_period.end_date - date '1970-01-01')::text,
    '@is_last@', (p_period.end_date = v_month.last_day)::text,
    '@lo@', format('%L::timestamptz', v_low),
    '@hi@', format('%L::timestamptz', v_high),
    '@flights_of_crew@', case when v_is_few then format(' and f.id = any (%L::uuid[])', pay.flights_of(p_enterprise, p_crew, v_low, v_high)) else '' end,
    '@legs_of_crew@', case when v_is_few then format(' and a.crew_member_id = any (%L::uuid[])', p_crew) else '' end,
    '@members@', 'crew.crew_members',
    '@flights@', 'crew.flights',
    '@trips@', 'crew.trips',
    '@assignments@', 'crew.crew_assignments',
    '@months@', 'crew.crew_months',
    '@advances@', format('pay.advances_paid(%L::uuid, %L::date, %L::date, ''infinity'')', p_enterprise, p_period.contract_month, p_period.start_date),
    -- What a closed period paid in advance stays, whatever is known by now: the month's last period takes that back.
    '@keeps_advances@', (p_period.status in ('CLOSED', 'PAID'))::text);
end
$$;
comment on function pay.plan_tokens(uuid, pay.pay_periods, uuid[]) is
'What the tokens of a plan stand for in one period: {"@token@": SQL}.
p_enterprise: tenant; p_period: the period; p_crew: crew members, null for everybody.';

-- Flights of a few crew members, by key: one result is explained without reading everybody's flights.
create or replace function pay.flights_of(p_enterprise uuid, p_crew uuid[], p_low timestamptz, p_high timestamptz)
returns uuid[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(distinct flight_id), '{}')
  from (
    select a.flight_id
    from crew.crew_assignments as a
    where a.enterprise_id = p_enterprise
      and a.crew_member_id = any (p_crew)
      and a.duty_start_time between p_low and p_high
    union all
    -- A leg may have been on another flight when it was paid.
    select (v.row_data ->> 'flight_id')::uuid
    from crew.fact_versions as v
    where v.enterprise_id = p_enterprise
      and v.table_name = 'crew.crew_assignments'
      and (v.row_data ->> 'crew_member_id')::uuid = any (p_crew)
  ) as flown
  where flight_id is not null
$$;
comment on function pay.flights_of(uuid, uuid[], timestamptz, timestamptz) is
'Flights that some crew members are or were on in a span.
p_enterprise: tenant; p_crew: crew members; p_low, p_high: span of report times.';

create or replace function pay.fill_tokens(p_statement text, p_tokens jsonb)
returns text
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_token text;
  v_value text;
begin
  for v_token, v_value in select key, value from jsonb_each_text(p_tokens) loop
    p_statement := replace(p_statement, v_token, v_value);
  end loop;
  return p_statement;
end
$$;
comment on function pay.fill_tokens(text, jsonb) is 'A plan''s statement with its tokens filled in.';

create or replace function pay.stage_step(p_name text, p_statement text, p_tokens jsonb)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  execute format('drop table if exists pg_temp.%I', p_name);
  -- Cuts are joined by a range, which only a loop can do. Loops are priced out (pay.run), and beside that price nothing else counts:
  -- without this, a quarter of a million amounts are sorted to be summed where hashing takes half as long.
  perform set_config('enable_sort', case when p_name in ('_periods', '_months', '_quarters', '_years') then 'off' else 'on' end, true);
  execute format('create temporary table %I on commit drop as %s', p_name, pay.fill_tokens(p_statement, p_tokens));
  -- Without statistics the two small tables are joined by sorting the large ones (measured: 2.5 s against 1.6 s).
  if p_name in ('_zones', '_people') then
    execute format('analyze pg_temp.%I', p_name);
  end if;
end
$$;
comment on function pay.stage_step(text, text, jsonb) is
'Runs one step of a plan into a temporary table.
p_name: table; p_statement: SELECT of the plan; p_tokens: from pay.plan_tokens().';

create or replace function pay.stage(p_enterprise uuid, p_ruleset uuid, p_tokens jsonb)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text;
  v_statement text;
begin
  for v_name, v_statement in
    select s.name, s.statement
    from rules.plans as s
    where s.enterprise_id = p_enterprise and s.ruleset_id = p_ruleset
    order by s.step_no
  loop
    perform pay.stage_step(v_name, v_statement, p_tokens);
  end loop;
end
$$;
comment on function pay.stage(uuid, uuid, jsonb) is
'Runs a ruleset''s plan into temporary tables _zones, _people, _legs, _duties, _days, _trips, _credit, _months and other spans, _lines, _findings.
p_enterprise: tenant; p_ruleset: ruleset; p_tokens: from pay.plan_tokens().';

-- One result row per staged crew member, its lines as arrays in term and node order (two duties of one report share a node).
create or replace function pay.results_sql(p_enterprise uuid, p_ruleset uuid)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  -- Where something can stand without money, lines of 0.00 stay with their quantity; nothing of them counts as paid hours.
  select format($q$select p.id as crew_member_id,
  round(coalesce(l.flight_pay_minutes, 0) / 60, 2)::numeric(8, 2) as flight_pay_hours,
  coalesce(l.flight_pay_cents, 0) * 0.01 as flight_pay_amount,
  round(coalesce(l.overtime_minutes, 0) / 60, 2)::numeric(8, 2) as overtime_hours,
  coalesce(l.overtime_cents, 0) * 0.01 as overtime_amount,
  coalesce(l.delay_pay_cents, 0) * 0.01 as delay_pay_amount,
  coalesce(l.per_diem_cents, 0) * 0.01 as per_diem_amount,
  coalesce(l.premium_cents, 0) * 0.01 as premium_pay_amount,
  round(m.guaranteed_minutes / 60, 2)::numeric(8, 2) as guarantee_hours,
  coalesce(l.guarantee_cents, 0) * 0.01 as guarantee_amount,
  coalesce(l.adjustment_cents, 0) * 0.01 as adjustment_amount,
  coalesce(l.total_cents, 0) * 0.01 as total_gross_pay,
  coalesce(l.line_term, '{}') as line_term,
  coalesce(l.line_node, '{}') as line_node,
  coalesce(l.line_quantity, '{}') as line_quantity,
  coalesce(l.line_cents, '{}') as line_cents
from _people as p
left join _months as m on m.no = p.no and m.at_end
left join (
  select no,
    sum(quantity) filter (where term_no = any (%1$L::smallint[]) and term_no > 0 and cents <> 0) as flight_pay_minutes,
    sum(cents) filter (where term_no = any (%1$L::smallint[])) as flight_pay_cents,
    sum(quantity) filter (where term_no = any (%2$L::smallint[]) and term_no > 0 and cents <> 0) as overtime_minutes,
    sum(cents) filter (where term_no = any (%2$L::smallint[])) as overtime_cents,
    sum(cents) filter (where term_no = any (%3$L::smallint[])) as per_diem_cents,
    sum(cents) filter (where term_no = any (%4$L::smallint[])) as premium_cents,
    sum(cents) filter (where term_no = any (%5$L::smallint[])) as delay_pay_cents,
    sum(cents) filter (where term_no = any (%6$L::smallint[])) as guarantee_cents,
    sum(cents) filter (where term_no = 0) as adjustment_cents,
    sum(cents) as total_cents,
    array_agg(term_no) as line_term,
    array_agg(node) as line_node,
    array_agg(quantity) as line_quantity,
    array_agg(cents) as line_cents
  from (select no, term_no, node, trim_scale(quantity) as quantity, cents from _lines where cents <> 0%7$s order by no, term_no, node, quantity, cents) as ordered
  group by no
) as l on l.no = p.no$q$,
    coalesce(array_agg(t.term_no) filter (where t.component = 'flight_pay'), '{}') || pay.override_term('flight_pay'),
    coalesce(array_agg(t.term_no) filter (where t.component = 'overtime'), '{}') || pay.override_term('overtime'),
    coalesce(array_agg(t.term_no) filter (where t.component = 'per_diem'), '{}') || pay.override_term('per_diem'),
    coalesce(array_agg(t.term_no) filter (where t.component = 'premium'), '{}') || pay.override_term('premium'),
    coalesce(array_agg(t.term_no) filter (where t.component = 'delay_pay'), '{}') || pay.override_term('delay_pay'),
    coalesce(array_agg(t.term_no) filter (where t.component = 'guarantee'), '{}') || pay.override_term('guarantee'),
    case when bool_or(t.kind = 'treatment' and t.expanded ? 'paid' or t.expanded -> 'paid' = 'false') then ' or cents = 0' else '' end)
  from rules.ruleset_terms as t
  where t.enterprise_id = p_enterprise and t.ruleset_id = p_ruleset and t.kind in ('credit', 'pay', 'advance', 'treatment')
$$;
comment on function pay.results_sql(uuid, uuid) is
'SELECT of result rows over the staged plan; component totals and the lines they are the sums of.
p_enterprise: tenant; p_ruleset: ruleset.';
