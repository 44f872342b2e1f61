-- The lines of a plan: every amount that the period pays, priced to the cent.

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
