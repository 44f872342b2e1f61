-- Rounding of money: once a line, or over the running total of a component, so that a period's component is what its exact amounts
-- add up to, rounded once; the lines still add to it to the cent.

-- Cents of a quantity and price, half away from zero; six decimals decide ties, since a stored quotient is never exact.
-- Whole minutes at a whole price must not be divided as whole numbers. What becomes of an exact amount is decided for the whole
-- statement: see rules.round_cents().
create or replace function rules.cents_sql(p_quantity text, p_price text, p_per_hour boolean)
returns text
language sql
immutable
parallel safe
return format('@exact@round((%s) * (%s)%s, 6)@cents@', p_quantity, p_price, case when p_per_hour then ' / 60.0' else '' end);
comment on function rules.cents_sql(text, text, boolean) is
'SQL for an amount in cents.
p_quantity, p_price: SQL; p_per_hour: whether the price is per hour and the quantity in minutes.';

-- The running total of each crew member's component in time order: nodes by their start, spans last.
create or replace function rules.running_total_sql(p_terms rules.compiled_term[], p_lines text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select format($q$select no, term_no, node, quantity,
  case when money is not null then (round(sum(money) over running * 100)
    - coalesce(round(sum(money) over (running rows between unbounded preceding and 1 preceding) * 100), 0))::integer end as cents
from (
  select l.no, l.term_no, l.node, l.quantity, l.cents as money, t.component, t.level_no,
    case t.level_no when %3$s then legs.report when %4$s then l.node when %5$s then l.node * 1440 when %6$s then trips.start_at else 2147483647 end as at,
    legs.leg_scheduled_out_at as leg_at
  from (
%1$s
  ) as l (no, term_no, node, quantity, cents)
  join (values %2$s) as t (term_no, component, level_no) on t.term_no = l.term_no
  left join _legs as legs on t.level_no = %3$s and legs.leg_no = l.node
  left join _trips as trips on t.level_no = %6$s and trips.no = l.no and trips.trip_no = l.node
) as priced
window running as (partition by no, component order by at, level_no, leg_at, term_no, quantity, node)$q$,
    p_lines,
    string_agg(format('(%s, %L, %s)', t.term_no, t.component, rules.level_rank(t.level)), ', ' order by t.term_no),
    rules.level_rank('leg'), rules.level_rank('duty'), rules.level_rank('day'), rules.level_rank('trip'))
  from unnest(p_terms) as t
  where t.kind in ('credit', 'pay', 'advance')
$$;
comment on function rules.running_total_sql(rules.compiled_term[], text) is
'SELECT of lines whose cents are what each adds to the rounded running total of its component.
p_terms: all terms; p_lines: SELECT of lines with exact amounts.';

create or replace function rules.round_cents(p_name text, p_statement text, p_terms rules.compiled_term[], p_settings jsonb)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case when p_name = '_lines' and p_settings ->> 'round_money' = 'total'
    then rules.running_total_sql(p_terms, replace(replace(p_statement, '@exact@', '('), '@cents@', ')'))
    else replace(replace(p_statement, '@exact@', 'round('), '@cents@', ' * 100)::integer') end
$$;
comment on function rules.round_cents(text, text, rules.compiled_term[], jsonb) is
'A stage''s SELECT with its amounts in cents, rounded as the contract says.
p_name: stage; p_statement: SELECT over rules.cents_sql(); p_terms: all terms; p_settings: contract settings (round_money).';
