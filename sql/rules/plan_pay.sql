-- Pay of legs, duties, days and trips: one branch of the lines for each term, or for each group of terms of which one is paid.

-- Terms that are paid together: of one group at a node the largest amount, or what the product of its multipliers gives.
create or replace function rules.highest_of(p_term rules.compiled_term)
returns text
language sql
immutable
parallel safe
return case when p_term.kind = 'pay' and p_term.expanded ->> 'stacking' in ('highest', 'multiply') then p_term.expanded ->> 'group' end;
comment on function rules.highest_of(rules.compiled_term) is 'The group in which a pay term is paid, by the largest amount or by the product; null for one that stands for itself.';

-- Cents of a pay line; none where a treatment, or the term itself, says that it isn't paid.
create or replace function rules.paid_cents(p_terms rules.compiled_term[], p_term rules.compiled_term, p_cents text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when rules.treated_sql(p_terms, 'paid', p_term.level, 'x') is not null
      then format('case when coalesce(q.treated, %s) < 0 then 0 else %s end', case when p_term.expanded -> 'paid' = 'false' then '-1' else '1' end, p_cents)
    when p_term.expanded -> 'paid' = 'false' then '0'
    else p_cents end
$$;
comment on function rules.paid_cents(rules.compiled_term[], rules.compiled_term, text) is
'SQL of the cents of a pay line at a node (alias q).
p_terms: all terms; p_term: the line''s; p_cents: SQL of its price.';

-- What pay reads of a level above after its credit is made: joined there.
create or replace function rules.computed_joins(p_needs text[], p_level text, out columns text, out joins text)
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select
    coalesce(string_agg(format(', u_%s.%s as %s_%s', u.source, u.column_name, u.level, u.name), '' order by u.level, u.name), '')
      || case when 'crew.rate' = any (p_needs) then format(', %s as crew_rate', rules.rate_sql('n.day')) else '' end,
    coalesce(string_agg(distinct case
        when s.key is null then format(E'\n  left join _%1$ss as u_%1$s on u_%1$s.no = n.no and u_%1$s.at_end', u.source)
        else format(E'\n  left join %s as u_%s on u_%2$s.no = n.no and u_%2$s.%s = %s', s.stage, u.level, s.key,
          case when u.level = 'day' and p_level = 'leg' then regexp_replace(rules.base_day_sql('report'), '\m(base_|report)', 'n.\1', 'g') else 'n.' || s.key end) end, ''), '')
      || case when 'crew.rate' = any (p_needs) then E'\n  join _people as p on p.no = n.no' else '' end
  from (
    select distinct split_part(need, '.', 1) as level, split_part(need, '.', 2) as name,
      case when need like 'to\_date.%' then (rules.of_span(need)).level else split_part(need, '.', 1) end as source,
      case
        -- With the span's own credit.
        when need like 'to\_date.%' then rules.span_pay_sql(split_part(need, '.', 2), (rules.of_span(need)).level)
        when need like '%.base' then 'base_credit'
        else 'credit' end as column_name
    from unnest(p_needs) as need
    where rules.is_computed(need) and need <> 'crew.rate'
  ) as u
  left join (values ('duty', '_duties', 'report'), ('day', '_days', 'day'), ('trip', '_trips', 'trip_no')) as s (level, stage, key) on s.level = u.level
  where u.level <> p_level
$$;
comment on function rules.computed_joins(text[], text) is
'SELECT items and joins for base and credit of levels above a stage (alias n), for what spans have come to, and for the hourly rate of its day.
p_needs: level.name; p_level: level of the stage.';

-- The rows that one or more pay terms of a level read: each term's quantity and price where it applies.
create or replace function rules.pay_source(p_terms rules.compiled_term[], p_all rules.compiled_term[], p_settings jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_level text := p_terms[1].level;
  v_grouped boolean := rules.highest_of(p_terms[1]) is not null;
  v_stage record;
  v_needs text[] := array(
    select distinct need
    from unnest(p_terms) as t
    cross join lateral unnest((t.quantity).needs || coalesce((t.gate).needs, '{}') || coalesce((t.price).needs, '{}')) as need);
  v_upward record;
  v_treated text := rules.treated_sql(p_all, 'paid', v_level, 'x');
begin
  select * into v_stage
  from (values
    ('leg', '_legs', 'leg_no', 'books_day', 'books_day', null, null),
    ('duty', '_duties', 'report::bigint', 'day', 'end_day', 'n.report', 'n.release'),
    ('day', '_days', 'day::bigint', 'day', 'day', null, null),
    ('trip', '_trips', 'trip_no', 'day', 'end_day', 'n.start_at', 'n.end_at')) as l (level, stage, node, start_day, end_day, start_at, end_at)
  where l.level = v_level;
  select * into v_upward from rules.computed_joins(v_needs, v_level);
  if 'crew.rate' = any (v_needs) then
    v_upward.columns := replace(v_upward.columns, rules.rate_sql('n.day'), rules.node_rate_sql(p_all, 'n.day'));
    v_upward.joins := v_upward.joins || rules.flown_join(p_all, 'n.no', rules.level_rank(v_level)::text, 'n.' || v_stage.node);
  end if;
  return format(E'select x.no, x.%s as node, x.day as rate_day%s%s%s\n  from (\n    select n.*, n.credit as %s_credit%s from %s as n%s%s\n  ) as x\n  where %s\n  offset 0',
    v_stage.node,
    case when v_treated is null then '' else ', ' || v_treated || ' as treated' end,
    case when exists (select from unnest(p_terms) as t where rules.books_of(t, p_settings) = 'split') then ', x.piece_minutes, x.of_minutes' else '' end,
    (select string_agg(format(', %s as q%s%s%s', case when not v_grouped then format('(%s)', (t.quantity).sql)
          else format('case when (%s) then (%s) end', coalesce((t.gate).sql, 'true'), (t.quantity).sql) end, t.term_no,
        case when (t.price).sql is null then '' else format(', (%s) as p%s', (t.price).sql, t.term_no) end,
        case when not v_grouped then '' else format(', (x.%1$s between @period_first_day@ and @period_last_day@) as b%2$s, (%3$s) as a%2$s',
          case rules.books_of(t, p_settings) when 'end' then v_stage.end_day else v_stage.start_day end, t.term_no, coalesce((t.gate).sql, 'true')) end),
        '' order by t.term_no)
      from unnest(p_terms) as t),
    v_level, v_upward.columns
      || case when rules.books_of(p_terms[1], p_settings) = 'split' then ', piece.books_day as piece_day, piece.minutes as piece_minutes, piece.of_minutes' else '' end,
    v_stage.stage, v_upward.joins,
    case when rules.books_of(p_terms[1], p_settings) = 'split'
      then E'\n    ' || rules.split_sql('n', v_stage.start_at, v_stage.end_at, 'n.' || v_stage.start_day, 'n.' || v_stage.end_day) else '' end,
    case when not v_grouped
      then format('x.%s between @period_first_day@ and @period_last_day@ and (%s)',
        case rules.books_of(p_terms[1], p_settings) when 'split' then 'piece_day' when 'end' then v_stage.end_day else v_stage.start_day end,
        coalesce((p_terms[1].gate).sql, 'true'))
      else (select string_agg(format('(%s)', coalesce((t.gate).sql, 'true')), ' or ' order by t.term_no) from unnest(p_terms) as t) end);
end
$$;
comment on function rules.pay_source(rules.compiled_term[], rules.compiled_term[], jsonb) is
'SELECT of the nodes that one pay term, or a group of them, matches: no, node, rate_day, and q<no> and p<no>: its quantity and price;
for a group also a<no>: whether it applies, and b<no>: whether the period books it.
p_terms: the term or group; p_all: all terms; p_settings: settings of the contract.';

-- One row for each term of a group at a node: whether it applies and is booked, quantity and cents. Each multiplier of a group that
-- multiplies pays what it adds to the product of those before it, by priority.
create or replace function rules.stacked_rows(p_group rules.compiled_term[], p_terms rules.compiled_term[], p_multiply boolean)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format('(%1$s, %2$s, q.a%1$s, q.b%1$s, q.q%1$s::numeric, %3$s)', (t.term).term_no, t.place,
    rules.paid_cents(p_terms, t.term, case
      when p_multiply then rules.cents_sql('q.q' || (t.term).term_no,
        format('(%s)%s * (q.p%s - 1)', rules.node_rate_sql(p_terms, 'q.rate_day'), t.product_before, (t.term).term_no), true)
      else rules.price_sql(t.term, 'q.q' || (t.term).term_no, rules.node_rate_sql(p_terms, 'q.rate_day'), 'q.p' || (t.term).term_no) end)),
    ', ' order by t.place)
  from (
    select member as term, member_no as place,
      coalesce(string_agg(format(' * (case when q.a%1$s then q.p%1$s else 1 end)', (member).term_no), '')
        over (order by member_no rows between unbounded preceding and 1 preceding), '') as product_before
    from unnest(p_group) with ordinality as g
    cross join lateral (select p_group[g.ordinality] as member, g.ordinality as member_no) as m
  ) as t
$$;
comment on function rules.stacked_rows(rules.compiled_term[], rules.compiled_term[], boolean) is
'SQL rows (term_no, preference, applies, booked, quantity, cents) of a group of pay terms at a node (alias q).
p_group: its terms, by priority; p_terms: all terms; p_multiply: whether their multipliers multiply.';

create or replace function rules.pay_lines(p_terms rules.compiled_term[], p_settings jsonb)
returns text[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_branches text[] := array[]::text[];
  v_term rules.compiled_term;
  v_group record;
  v_quantity text;
  v_cents text;
begin
  foreach v_term in array p_terms loop
    if v_term.kind = 'pay' and v_term.level in ('leg', 'duty', 'day', 'trip') and rules.highest_of(v_term) is null then
      v_quantity := format('q.q%s', v_term.term_no)
        || case when rules.books_of(v_term, p_settings) = 'split' then ' * coalesce(q.piece_minutes::numeric / q.of_minutes, 1)' else '' end;
      v_cents := rules.paid_cents(p_terms, v_term, rules.price_sql(v_term, v_quantity, rules.node_rate_sql(p_terms, 'q.rate_day'), format('q.p%s', v_term.term_no)));
      -- A missing quantity of a matching node stays in, without cents: it is a finding.
      v_branches := v_branches || format(
        E'select q.no, %s::smallint, q.node, (%s)::numeric, %s\nfrom (\n  %s\n) as q\njoin _people as p on p.no = q.no%s\nwhere q.q%s is distinct from 0%s',
        v_term.term_no, v_quantity, v_cents, rules.pay_source(array[v_term], p_terms, p_settings),
        rules.flown_join(p_terms, 'q.no', rules.level_rank(v_term.level)::text, 'q.node'), v_term.term_no,
        case when rules.books_of(v_term, p_settings) = 'split' then ' and (q.piece_minutes <> 0 or q.of_minutes is null)' else '' end);
    end if;
  end loop;
  for v_group in
    select rules.highest_of(t) as name, bool_and(t.expanded ->> 'stacking' = 'multiply') as multiplies, array_agg(t order by t.priority, t.term_code, t.term_no) as terms
    from unnest(p_terms) as t
    where rules.highest_of(t) is not null and t.level in ('leg', 'duty', 'day', 'trip')
    group by 1
    order by 1
  loop
    -- Of equal amounts one is paid: the lower priority number, then the code. What can't be priced is a finding beside it.
    v_branches := v_branches || format(
      E'select q.no, w.term_no::smallint, q.node, w.quantity::numeric, w.cents\nfrom (\n  %s\n) as q\njoin _people as p on p.no = q.no%s\ncross join lateral (\n  select v.*, row_number() over (order by v.cents desc nulls last, v.preference) as place\n  from (values %s) as v (term_no, preference, applies, booked, quantity, cents)\n  where v.applies and v.quantity is distinct from 0\n) as w\nwhere w.booked%s',
      rules.pay_source(v_group.terms, p_terms, p_settings), rules.flown_join(p_terms, 'q.no', rules.level_rank(v_group.terms[1].level)::text, 'q.node'),
      rules.stacked_rows(v_group.terms, p_terms, v_group.multiplies),
      case when v_group.multiplies then '' else ' and (w.place = 1 or w.cents is null)' end);
  end loop;
  return v_branches;
end
$$;
comment on function rules.pay_lines(rules.compiled_term[], jsonb) is
'Branches of the stage _lines for pay terms of legs, duties, days and trips.
p_terms: compiled terms; p_settings: settings of the contract.';
