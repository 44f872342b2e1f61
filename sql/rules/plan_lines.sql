-- The lines of a plan: every amount that the period pays, priced to the cent.

-- A pay term as quantity, rate multiple and cents.
create or replace function rules.price_sql(p_term rules.compiled_term, p_quantity text, p_rate text, p_price text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return case p_term.price_kind
    when 'multiplier' then rules.cents_sql(p_quantity, format('(%s) * ((%s) - 1)', p_rate, p_price), true)
    when 'per_hour' then rules.cents_sql(p_quantity, p_price, true)
    when 'per_unit' then rules.cents_sql(p_quantity, p_price, false)
    when 'amount' then rules.cents_sql('1', p_price, false)
    else rules.cents_sql(p_quantity, p_rate, true) end;
end
$$;
comment on function rules.price_sql(rules.compiled_term, text, text, text) is
'SQL for the cents of a pay term.
p_term: the term; p_quantity: SQL of its quantity; p_rate: SQL of the hourly rate; p_price: SQL of its price.';

-- Credit that is booked to the period, priced at the rate of its node.
create or replace function rules.credit_lines(p_terms rules.compiled_term[], p_settings jsonb)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select format('select c.no, c.term_no, c.node, c.quantity, %s as cents
from _credit as c
join _people as p on p.no = c.no%s%s',
    case when rules.has_unpaid(p_terms) then format('case when c.counts_paid then %s else 0 end', rules.cents_sql('c.quantity', rules.node_rate_sql(p_terms, 'c.rate_day'), true))
      else rules.cents_sql('c.quantity', rules.node_rate_sql(p_terms, 'c.rate_day'), true) end,
    rules.flown_join(p_terms, 'c.no', (select format('(case %s end)', string_agg(format('when c.term_no = any (%L::smallint[]) then %s', of_level.term_nos, of_level.level_no), ' '))
      from (select rules.level_rank(t.level) as level_no, array_agg(t.term_no) as term_nos from unnest(p_terms) as t where t.kind = 'credit' group by 1) as of_level), 'c.node'),
    case when rules.has_advances(p_terms) then format('
left join %s as a on a.no = c.no and c.books_day between a.first_day and a.last_day
where c.books_day between @month_first_day@ and @period_last_day@
  and %s', rules.advance_periods_sql(), rules.is_due_sql('a', 'c.books_day'))
    else '
where c.books_day between @period_first_day@ and @period_last_day@' end)
$$;
comment on function rules.credit_lines(rules.compiled_term[], jsonb) is 'SELECT of the lines of credit of nodes.
p_terms: all terms; p_settings: contract settings.';

-- A term of a span: to date at the period's end, less to date before it, both at the price of the period's end, so that the periods
-- of a span add up to it to the cent.
create or replace function rules.span_lines(p_terms rules.compiled_term[], p_term rules.compiled_term, p_settings jsonb)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_rate text := rules.rate_sql(rules.span_rate_day(p_term.level, p_settings));
  v_value text := case
    when p_term.kind = 'pay' or p_term.combine = 'add' then format('t%s', p_term.term_no)
    else format('case when %1$s_winner = %2$s then %1$s_excess else 0 end', p_term.level, p_term.term_no) end;
  v_cents text := case when p_term.kind = 'pay' then
      format('case when q.total = 0 then 0 else %s end - case when q.before = 0 then 0 else %s end',
        rules.price_sql(p_term, 'q.total', v_rate, 'q.price'),
        rules.price_sql(p_term, 'q.before', v_rate, case p_term.price_kind when 'amount' then 'q.price_before' else 'q.price' end))
    else format('%s - %s', rules.cents_sql('q.total', v_rate, true), rules.cents_sql('q.before', v_rate, true)) end;
begin
  if p_term.expanded -> 'paid' = 'false' then
    v_cents := '0';
  end if;
  if p_settings ->> 'rate_on' = 'start' and p_term.level in ('quarter', 'year')
    and (coalesce(p_term.price_kind, 'rate') in ('rate', 'multiplier') or 'crew.rate' = any ((p_term.quantity).needs || coalesce((p_term.price).needs, '{}'))) then
    perform rules.refuse('CP205', p_term.term_code || ' $.level', format('the hourly rate of the first day of a %s', p_term.level), 'Give per_hour, per_unit or amount, or leave rate_on at end.');
  end if;
  if p_term.kind = 'credit' and rules.has_advances(p_terms) then
    -- Credit of a period that was paid in advance waits for the month's last: what the period has of its own, or what the month to date
    -- has grown by in it. Credit of a longer span has no such day.
    if p_term.level not in ('period', 'month') then
      perform rules.refuse('CP205', p_term.term_code || ' $.level', format('credit of the %s beside an advance', p_term.level), 'Credit it in the month or below.');
    end if;
    return format('select q.no, %s::smallint, 0::bigint, q.quantity::numeric, %s
from (
  select m.no, sum(m.quantity) as quantity
  from (
    select no, upto, %s as quantity
    from _%ss
    where first_day >= @month_first_day@ and %s
  ) as m
  left join %s as a on a.no = m.no and a.last_day = m.upto
  where %s
  group by m.no
) as q
join _people as p on p.no = q.no
where q.quantity <> 0', p_term.term_no, case when p_term.expanded -> 'paid' = 'false' then '0' else rules.cents_sql('q.quantity', v_rate, true) end,
      case p_term.level when 'period' then v_value else format('coalesce(%1$s, 0) - lag(coalesce(%1$s, 0), 1, 0) over (partition by no order by upto)', v_value) end,
      p_term.level, case p_term.level when 'period' then 'true' else 'not is_past' end, rules.advance_periods_sql(), rules.is_due_sql('a', 'm.upto'));
  end if;
  return format('select q.no, %1$s::smallint, 0::bigint, (q.total - q.before)::numeric, %2$s
from (
  select x.no, max(x.quantity) filter (where x.at_end) as total, coalesce(max(x.quantity) filter (where not x.at_end), 0) as before%3$s
  from (select m.*, %4$s as quantity from _%5$ss as m where m.upto >= @period_first_day@ - 1 and not m.is_past offset 0) as x
  group by x.no
) as q
join _people as p on p.no = q.no
where q.total <> q.before%6$s',
    p_term.term_no, v_cents,
    case when p_term.kind = 'pay' then format(', max(x.price%1$s) filter (where x.at_end) as price, max(x.price%1$s) filter (where not x.at_end) as price_before', p_term.term_no) else '' end,
    case p_term.kind when 'pay' then v_value else format('coalesce(%s, 0)', v_value) end,
    p_term.level,
    case when p_term.price_kind = 'amount' then ' or q.price <> q.price_before' else '' end);
end
$$;
comment on function rules.span_lines(rules.compiled_term[], rules.compiled_term, jsonb) is
'SELECT of the lines of a credit or pay term of a period, month, quarter or year.
p_terms: all terms; p_term: the term; p_settings: contract settings.';

-- Amounts of a span are paid at the rate of the last day to date, or of the span's first.
create or replace function rules.span_rate_day(p_level text, p_settings jsonb)
returns text
language sql
immutable
parallel safe
return case when p_settings ->> 'rate_on' = 'start' then format('@%s_first_day@', p_level) else '@period_last_day@' end;
comment on function rules.span_rate_day(text, jsonb) is 'SQL for the day whose rate pays an amount of a span.
p_level: span; p_settings: contract settings (rate_on).';

-- A guarantee is settled with the span's last period, by the term with the greatest shortfall.
create or replace function rules.guarantee_lines(p_terms rules.compiled_term[], p_level text, p_settings jsonb)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_guarantees text;
begin
  select string_agg(format('when t%1$s = guarantee_minutes then %1$s', t.term_no), ' ' order by t.priority, t.term_code)
  into v_guarantees
  from unnest(p_terms) as t
  where t.level = p_level and t.is_guarantee;
  return case when v_guarantees is not null then format(
    'select q.no, q.term_no, 0::bigint, q.quantity, %s
from (
  select m.no, (case %s end)::smallint as term_no, guarantee_minutes - %s_guarantee_all as quantity
  from _%3$ss as m
  where m.at_end and (%s)
) as q
join _people as p on p.no = q.no
where q.quantity > 0', rules.cents_sql('q.quantity', rules.rate_sql(rules.span_rate_day(p_level, p_settings)), true), v_guarantees, p_level,
    case p_level when 'month' then '@is_last@' else 'true' end) end;
end
$$;
comment on function rules.guarantee_lines(rules.compiled_term[], text, jsonb) is
'SELECT of the top-up of a span to what is guaranteed; null where no term guarantees anything.
p_level: period or month; p_settings: contract settings.';

create or replace function rules.plan_lines(p_terms rules.compiled_term[], p_settings jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_branches text[] := array[rules.credit_lines(p_terms, p_settings)] || rules.pay_lines(p_terms, p_settings);
  v_term rules.compiled_term;
  v_level text;
begin
  foreach v_term in array p_terms loop
    if v_term.level = any (rules.span_levels()) and v_term.kind in ('credit', 'pay') and not v_term.is_guarantee then
      v_branches := v_branches || rules.span_lines(p_terms, v_term, p_settings);
    end if;
  end loop;
  foreach v_level in array rules.span_levels() loop
    v_branches := v_branches || rules.guarantee_lines(p_terms, v_level, p_settings);
  end loop;
  v_branches := v_branches || rules.advance_lines(p_terms, p_settings);
  return array_to_string(v_branches, E'\nunion all\n');
end
$$;
comment on function rules.plan_lines(rules.compiled_term[], jsonb) is
'SELECT of the stage _lines: one row per amount that the period pays: crew number, term, node, quantity, cents (null: no rate).';
