-- The last stages of a plan: credit amounts as booked, the month to date, and the lines.

-- One credit amount per row: the winner's excess at each node, and each add.
-- Leg amounts are booked by the leg's departure, all others by the start or end of their node.
create or replace function rules.plan_credit(p_terms rules.compiled_term[], p_settings jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_branches text[] := array[]::text[];
  v_level record;
  v_term rules.compiled_term;
  v_default_books text := coalesce(p_settings ->> 'books', 'start');
  v_ends text;
begin
  for v_level in
    select *
    from (values
      ('leg', '_legs', 'leg_no', 'day', 'books_day', 'books_day'),
      ('duty', '_duties', 'report::bigint', 'day', 'day', 'end_day'),
      ('day', '_days', 'day::bigint', 'day', 'day', 'day'),
      ('trip', '_trips', 'trip_no', 'day', 'day', 'end_day')) as l (level, stage, node, rate_day, start_day, end_day)
    where l.level <> 'day' or exists (select from unnest(p_terms) as t where t.level = 'day')
  loop
    if exists (select from unnest(p_terms) as t where t.level = v_level.level and t.kind = 'credit' and t.combine = 'greatest') then
      select string_agg(t.term_no::text, ', ' order by t.term_no) into v_ends
      from unnest(p_terms) as t
      where t.level = v_level.level and t.kind = 'credit' and t.combine = 'greatest'
        and coalesce(t.expanded ->> 'books', v_default_books) = 'end';
      v_branches := v_branches || format(
        'select no, winner as term_no, %s as node, excess as quantity, %s as rate_day, %s as books_day from %s where winner is not null',
        v_level.node, v_level.rate_day,
        case when v_ends is null or v_level.level = 'leg' then v_level.start_day
          else format('case when winner in (%s) then %s else %s end', v_ends, v_level.end_day, v_level.start_day) end,
        v_level.stage);
    end if;
    foreach v_term in array p_terms loop
      if v_term.level = v_level.level and v_term.kind = 'credit' and v_term.combine = 'add' then
        v_branches := v_branches || format(
          'select no, %s::smallint, %s, t%s::numeric, %s, %s from %s where t%s <> 0',
          v_term.term_no, v_level.node, v_term.term_no, v_level.rate_day,
          case when coalesce(v_term.expanded ->> 'books', v_default_books) = 'end' then v_level.end_day else v_level.start_day end,
          v_level.stage, v_term.term_no);
      end if;
    end loop;
  end loop;
  if cardinality(v_branches) = 0 then
    return 'select null::integer as no, null::smallint as term_no, null::bigint as node, null::numeric as quantity, null::integer as rate_day, null::integer as books_day where false';
  end if;
  return array_to_string(v_branches, E'\nunion all\n');
end
$$;
comment on function rules.plan_credit(rules.compiled_term[], jsonb) is
'SELECT of the stage _credit: every credit amount with its term, node, the day whose rate pays it and the day it is booked to.';

-- What credit of the month itself counts toward the guarantee or the threshold: the winner's excess and the adds, by their flags.
create or replace function rules.month_more_sql(p_terms rules.compiled_term[], p_guarantee boolean)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(string_agg(
    case t.combine
      when 'add' then format('coalesce(t%s, 0)', t.term_no)
      else format('case when month_winner = %s then month_excess else 0 end', t.term_no) end,
    ' + ' order by t.term_no), '0::numeric')
  from unnest(p_terms) as t
  where t.level = 'month'
    and t.kind = 'credit'
    and not t.is_guarantee
    and case when p_guarantee then t.toward_guarantee else t.toward_threshold end
$$;
comment on function rules.month_more_sql(rules.compiled_term[], boolean) is
'SQL for the credit that the month''s own terms add to its guarantee or threshold total.
p_guarantee: toward the guarantee, else toward the threshold.';

-- The month to date at the end of the period and, where the period isn't the month's first, at the end of the one before:
-- a period pays what the month to date adds.
create or replace function rules.plan_months(p_terms rules.compiled_term[], p_measures jsonb, p_settings jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_sums text := '';
  v_sum_joins text := '';
  v_need text;
  v_name text;
  v_stage text;
  v_candidates text;
  v_guarantee text;
  v_sql text;
  v_not_guarantee text;
  v_not_threshold text;
begin
  -- Sums over the month of what was measured below, by the day the node is booked to.
  for v_need in
    select distinct n
    from unnest(p_terms) as t
    cross join lateral unnest((t.quantity).needs || coalesce((t.gate).needs, '{}') || coalesce((t.price).needs, '{}')) as n
    where t.level = 'month' and split_part(n, '.', 1) = 'month'
      and not exists (select from rules.facts as f where f.level = 'month' and f.name = split_part(n, '.', 2))
      and coalesce(p_measures -> split_part(n, '.', 2) ->> 'level', 'leg') <> 'month'
    order by n
  loop
    v_name := split_part(v_need, '.', 2);
    v_stage := coalesce(p_measures -> v_name ->> 'level', 'leg');
    v_sums := v_sums || format(', coalesce(%1$s_sum.total, 0) as month_%1$s', v_name);
    v_sum_joins := v_sum_joins || format(E'\nleft join lateral (\n  select sum(x.%s_%s) as total\n  from %s as x\n  where x.no = p.no and x.%s between @month_first_day@ and u.upto\n) as %s_sum on true',
      v_stage, v_name, case v_stage when 'leg' then '_legs' when 'duty' then '_duties' else '_trips' end,
      case when v_stage = 'leg' then 'books_day' when p_settings ->> 'books' = 'end' then 'end_day' else 'day' end, v_name);
  end loop;

  select string_agg(t.term_no::text, ', ') filter (where not t.toward_guarantee), string_agg(t.term_no::text, ', ') filter (where not t.toward_threshold)
  into v_not_guarantee, v_not_threshold
  from unnest(p_terms) as t
  where t.kind = 'credit' and t.level <> 'month';

  v_sql := format($q$select p.no, u.upto, u.at_end,
  p.crew_position, p.crew_base, p.crew_years_of_service, p.crew_contract_type, p.crew_union_status, p.crew_seniority_number,
  p.month_days, p.month_work_days, p.month_unpaid_days, p.month_line_type, p.month_award_credit, p.month_is_last,
  coalesce(c.paid_credit, 0) as month_paid_credit,
  coalesce(c.guarantee_credit, 0) as month_guarantee_credit,
  coalesce(c.threshold_credit, 0) as month_threshold_credit%s
from _people as p
cross join (
  select @period_last_day@ as upto, true as at_end
  union all
  select @period_first_day@ - 1, false
  where @period_first_day@ > @month_first_day@
) as u
left join (
  select x.no, cut.upto,
    sum(x.quantity) as paid_credit,
    sum(x.quantity)%s as guarantee_credit,
    sum(x.quantity)%s as threshold_credit
  from _credit as x
  cross join (
    select @period_last_day@ as upto
    union all
    select @period_first_day@ - 1
    where @period_first_day@ > @month_first_day@
  ) as cut
  where x.books_day between @month_first_day@ and cut.upto
  group by x.no, cut.upto
) as c on c.no = p.no and c.upto = u.upto%s
offset 0$q$, v_sums,
    case when v_not_guarantee is null then '' else format(' filter (where x.term_no not in (%s))', v_not_guarantee) end,
    case when v_not_threshold is null then '' else format(' filter (where x.term_no not in (%s))', v_not_threshold) end,
    v_sum_joins);
  v_sql := rules.measure_layers(p_terms, 'month', v_sql);

  select string_agg('t' || t.term_no, ', ') into v_candidates
  from unnest(p_terms) as t
  where t.level = 'month' and t.kind = 'credit' and t.combine = 'greatest';
  select string_agg('t' || t.term_no, ', ') into v_guarantee
  from unnest(p_terms) as t
  where t.level = 'month' and t.is_guarantee;
  v_sql := format(E'select m.*, month_paid_credit as base_credit%s\nfrom (%s) as m\noffset 0', rules.term_columns(p_terms, 'month'), v_sql);
  -- Of equal candidates one is paid: the lower priority number, then the code.
  v_sql := format(E'select m.*, %s\nfrom (%s) as m\noffset 0',
    case when v_candidates is null then '0::numeric as month_excess, null::smallint as month_winner'
      else format('greatest(0, greatest(%1$s) - base_credit) as month_excess, (case when greatest(%1$s) > base_credit then case %2$s end end)::smallint as month_winner',
        v_candidates, (select string_agg(format('when t%1$s = greatest(%2$s) then %1$s', t.term_no, v_candidates), ' ' order by t.priority, t.term_code, t.term_no)
          from unnest(p_terms) as t
          where t.level = 'month' and t.kind = 'credit' and t.combine = 'greatest')) end,
    v_sql);
  -- A greatest-of of the month counts toward the guarantee; of several guarantees only the greatest shortfall is paid.
  -- guaranteed_minutes is what the contract guarantees, guarantee_minutes what it guarantees where its condition holds.
  -- month_…_more: what the month's own credit adds to the totals that guarantee and overtime read.
  return format(E'select m.*, %s as month_guarantee_more, %s as month_threshold_more,\n  greatest(%s, null::numeric) as guarantee_minutes, greatest(%s, null::numeric) as guaranteed_minutes\nfrom (%s) as m',
    rules.month_more_sql(p_terms, true), rules.month_more_sql(p_terms, false),
    coalesce(v_guarantee, 'null::numeric'),
    coalesce((select string_agg(format('(%s)', (t.quantity).sql), ', ') from unnest(p_terms) as t where t.level = 'month' and t.is_guarantee), 'null::numeric'),
    v_sql);
end
$$;
comment on function rules.plan_months(rules.compiled_term[], jsonb, jsonb) is
'SELECT of the stage _months: per crew member the month to date at the end of the period, and before it.';

-- Cents of a quantity and price, half away from zero; six decimals decide ties, since a stored quotient is never exact.
create or replace function rules.cents_sql(p_quantity text, p_price text, p_per_hour boolean)
returns text
language sql
immutable
parallel safe
return format('round(round((%s) * (%s)%s, 6) * 100)::integer', p_quantity, p_price, case when p_per_hour then ' / 60' else '' end);
comment on function rules.cents_sql(text, text, boolean) is
'SQL for an amount in cents.
p_quantity, p_price: SQL; p_per_hour: whether the price is per hour and the quantity in minutes.';

-- Rate of the day in use at a node.
create or replace function rules.rate_sql(p_day text)
returns text
language sql
immutable
parallel safe
return format('case when %1$s >= p.rate_4_day then p.rate_4 when %1$s >= p.rate_3_day then p.rate_3 when %1$s >= p.rate_2_day then p.rate_2 else p.rate_1 end', p_day);
comment on function rules.rate_sql(text) is 'SQL for the hourly rate in force on a day (people alias p).';

-- A pay term as quantity, rate multiple and cents.
create or replace function rules.price_sql(p_term rules.compiled_term, p_quantity text, p_rate text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case p_term.price_kind
    when 'multiplier' then rules.cents_sql(p_quantity, format('(%s) * ((%s) - 1)', p_rate, (p_term.price).sql), true)
    when 'per_hour' then rules.cents_sql(p_quantity, (p_term.price).sql, true)
    when 'per_unit' then rules.cents_sql(p_quantity, (p_term.price).sql, false)
    when 'amount' then rules.cents_sql('1', (p_term.price).sql, false)
    else rules.cents_sql(p_quantity, p_rate, true) end
$$;
comment on function rules.price_sql(rules.compiled_term, text, text) is
'SQL for the cents of a pay term.
p_term: the term; p_quantity: SQL of its quantity; p_rate: SQL of the hourly rate.';

create or replace function rules.plan_lines(p_terms rules.compiled_term[], p_settings jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_branches text[];
  v_term rules.compiled_term;
  v_stage text;
  v_node text;
  v_day text;
  v_default_books text := coalesce(p_settings ->> 'books', 'start');
  v_quantity text;
  v_guarantees text;
begin
  v_branches := array[format(
    'select c.no, c.term_no, c.node, c.quantity, %s as cents
from _credit as c
join _people as p on p.no = c.no
where c.books_day between @period_first_day@ and @period_last_day@', rules.cents_sql('c.quantity', rules.rate_sql('c.rate_day'), true))];

  foreach v_term in array p_terms loop
    v_quantity := case when (v_term.gate).sql is null then format('(%s)', (v_term.quantity).sql)
      else format('case when (%s) then (%s) end', (v_term.gate).sql, (v_term.quantity).sql) end;
    if v_term.kind = 'pay' and v_term.level in ('leg', 'duty', 'trip') then
      v_stage := case v_term.level when 'leg' then '_legs' when 'duty' then '_duties' else '_trips' end;
      v_node := case v_term.level when 'leg' then 'leg_no' when 'duty' then 'report::bigint' else 'trip_no' end;
      v_day := case
        when v_term.level = 'leg' then 'books_day'
        when coalesce(v_term.expanded ->> 'books', v_default_books) = 'end' then 'end_day'
        else 'day' end;
      -- A missing quantity of a matching node stays in, without cents: it is a finding.
      v_branches := v_branches || format(
        'select q.no, %s::smallint, q.node, q.quantity::numeric, %s
from (
  select x.*, %s as node, (%s) as quantity
  from (select n.*, n.credit as %s_credit, n.%s as %s_base from %s as n) as x
  where x.%s between @period_first_day@ and @period_last_day@
    and (%s)
  offset 0
) as q
join _people as p on p.no = q.no
where q.quantity is distinct from 0',
        v_term.term_no, rules.price_sql(v_term, 'q.quantity', rules.rate_sql('q.day')), v_node, (v_term.quantity).sql, v_term.level,
        case when v_term.level = 'trip' and exists (select from unnest(p_terms) as o where o.level = 'day') then 'base_with_days' else 'base_credit' end,
        v_term.level, v_stage, v_day,
        coalesce((v_term.gate).sql, 'true'));
    elsif v_term.level = 'month' and v_term.kind = 'pay' then
      -- To date at the period's end, less to date before it; money at the rate of the period's last day.
      v_branches := v_branches || format(
        'select q.no, %s::smallint, 0::bigint, q.quantity::numeric, %s
from (
  select x.no, sum(case when at_end then quantity else -quantity end) as quantity%s
  from (
    select m.*, %s as quantity, (%s) as price
    from (
      select m.*, month_paid_credit + month_excess as month_paid_all, month_guarantee_credit + month_guarantee_more as month_guarantee_all,
        month_threshold_credit + month_threshold_more as month_threshold_all
      from _months as m
    ) as m
    offset 0
  ) as x
  group by x.no
) as q
join _people as p on p.no = q.no
where q.quantity <> 0',
        v_term.term_no,
        rules.price_sql(jsonb_populate_record(v_term, jsonb_build_object('price', to_jsonb((v_term.price)) || '{"sql": "q.price"}')),
          'q.quantity', rules.rate_sql('@period_last_day@')),
        ', max(price) filter (where at_end) as price',
        regexp_replace(v_quantity, '\mmonth_(paid|guarantee|threshold)_credit\M', 'month_\1_all', 'g'),
        regexp_replace(coalesce((v_term.price).sql, 'null::numeric'), '\mmonth_(paid|guarantee|threshold)_credit\M', 'month_\1_all', 'g'));
    elsif v_term.level = 'month' and v_term.kind = 'credit' and not v_term.is_guarantee then
      v_branches := v_branches || format(
        'select q.no, %s::smallint, 0::bigint, q.quantity::numeric, %s
from (
  select x.no, sum(case when at_end then quantity else -quantity end) as quantity
  from (select m.*, %s as quantity from _months as m offset 0) as x
  group by x.no
) as q
join _people as p on p.no = q.no
where q.quantity <> 0',
        v_term.term_no, rules.cents_sql('q.quantity', rules.rate_sql('@period_last_day@'), true),
        case when v_term.combine = 'add' then format('t%s', v_term.term_no)
          else format('case when month_winner = %s then month_excess else 0 end', v_term.term_no) end);
    end if;
  end loop;

  -- The guarantee is settled with the month's last period, by the term with the greatest shortfall.
  select string_agg(format('when t%1$s = guarantee_minutes then %1$s', t.term_no), ' ' order by t.priority, t.term_code)
  into v_guarantees
  from unnest(p_terms) as t
  where t.level = 'month' and t.is_guarantee;
  if v_guarantees is not null then
    v_branches := v_branches || format(
      'select q.no, q.term_no, 0::bigint, q.quantity, %s
from (
  select m.no, (case %s end)::smallint as term_no, guarantee_minutes - month_guarantee_credit - month_guarantee_more as quantity
  from _months as m
  where m.at_end and m.month_is_last
) as q
join _people as p on p.no = q.no
where q.quantity > 0', rules.cents_sql('q.quantity', rules.rate_sql('@period_last_day@'), true), v_guarantees);
  end if;
  return array_to_string(v_branches, E'\nunion all\n');
end
$$;
comment on function rules.plan_lines(rules.compiled_term[], jsonb) is
'SELECT of the stage _lines: one row per amount that the period pays: crew number, term, node, quantity, cents (null: no rate).';

-- Matching terms that could not pay, because a fact they read is missing.
create or replace function rules.plan_findings(p_terms rules.compiled_term[], p_settings jsonb)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select concat_ws(E'\nunion all\n',
    'select l.no, case when l.quantity is null then ''CP111'' else ''CP110'' end as code, l.term_no, l.node from _lines as l where l.cents is null',
    -- Credit and measures of nodes that the period pays; what a missing measure would have decided is not known.
    (select string_agg(format('select x.no, ''CP111'', %s::smallint, %s from %s as x where %s(%s) and (%s) is null%s',
        t.term_no, l.node, l.stage, case when t.kind = 'credit' then format('x.t%s is null and ', t.term_no) else '' end,
        coalesce(rules.own_base((t.gate).sql), 'true'), rules.own_base((t.quantity).sql),
        format(' and x.%s between @period_first_day@ and @period_last_day@',
          case when t.level in ('duty', 'trip') and coalesce(t.expanded ->> 'books', p_settings ->> 'books') = 'end' then 'end_day' else l.paid_day end)),
        E'\nunion all\n' order by t.term_no)
      from unnest(p_terms) as t
      join (values
        ('leg', '_legs', 'leg_no', 'books_day'), ('duty', '_duties', 'report::bigint', 'day'), ('day', '_days', 'day::bigint', 'day'),
        ('trip', '_trips', 'trip_no', 'day'), ('month', '(select m.*, m.upto as day from _months as m where m.at_end)', '0::bigint', 'day'))
        as l (level, stage, node, paid_day) on l.level = t.level
      where t.kind in ('credit', 'measure') and (t.quantity).nullable),
    (select string_agg(format('select m.no, ''CP111'', %s::smallint, 0::bigint from _months as m where m.at_end and (%s) and (%s) is null',
        t.term_no, coalesce((t.gate).sql, 'true'), (t.quantity).sql), E'\nunion all\n' order by t.term_no)
      from unnest(p_terms) as t
      where t.kind = 'pay' and t.level = 'month' and (t.quantity).nullable))
$$;
comment on function rules.plan_findings(rules.compiled_term[], jsonb) is
'SELECT of the stage _findings: code, term and node of every amount that a missing rate (CP110) or fact (CP111) kept from being paid.';
