-- The span stages of a plan: what a pay period, a contract month, a quarter and a year have come to.
--
-- A span is looked at at its cuts: to date at the end of the period and, where the period isn't the span's first, to date before it.
-- A period pays what the total to date adds. A span above reads the spans inside it: those that are over whole, the current one
-- at the same cut. Rows of a stage: at_end (to date at the period's end), the cut before it, and is_past (a span that is over).

-- The cuts of a span: first day, day up to which it is looked at, at_end, is_past.
create or replace function rules.span_cuts(p_level text, p_settings jsonb)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_span text := p_settings -> 'reach' ->> 'span';
  v_first text := case p_level when 'period' then '@period_first_day@' else format('@%s_first_day@', p_level) end;
  v_outer text := coalesce('@' || v_span || '_first@', '@month_first@');
  v_sql text;
begin
  v_sql := format('select %s as first_day, @period_last_day@ as upto, true as at_end, false as is_past', v_first);
  if p_level <> 'period' then
    v_sql := v_sql || format(E'\n  union all\n  select %1$s, @period_first_day@ - 1, false, false where @period_first_day@ > %1$s', v_first);
  end if;
  if p_level = 'month' and p_settings -> 'advances' = 'true' then
    -- What each period of the month has added: some of it waits for the month's last.
    v_sql := v_sql || $q$
  union all
  select @month_first_day@, d.end_date - date '1970-01-01', false, false
  from pay.pay_periods as d
  where d.enterprise_id = @enterprise@ and d.contract_month = @month_first@ and d.end_date < @period_first@ - 1$q$;
  end if;
  case
    when p_level = 'period' then
      v_sql := v_sql || format($q$, @period_index@ as period_index, @is_last@ as is_last
  union all
  select d.start_date - date '1970-01-01', d.end_date - date '1970-01-01', false, true,
    (row_number() over (partition by d.contract_month order by d.start_date))::integer,
    d.contract_month <> @month_first@ and d.end_date = max(d.end_date) over (partition by d.contract_month)
  from pay.pay_periods as d
  where d.enterprise_id = @enterprise@ and d.start_date >= %s and d.start_date < @period_first@$q$, v_outer);
    when p_level = 'month' and v_span is not null then
      v_sql := v_sql || format($q$
  union all
  select d.month - date '1970-01-01', d.last_day - date '1970-01-01', false, true
  from crew.contract_months_between(@enterprise@, %s, @month_first@ - 1) as d$q$, v_outer);
    when p_level = 'quarter' and v_span = 'year' then
      v_sql := v_sql || $q$
  union all
  select min(d.month) - date '1970-01-01', max(d.last_day) - date '1970-01-01', false, true
  from crew.contract_months_between(@enterprise@, @year_first@, @quarter_first@ - 1) as d
  group by d.quarter$q$;
    else
      null;
  end case;
  return v_sql;
end
$$;
comment on function rules.span_cuts(text, jsonb) is
'SELECT of the cuts at which a span is looked at: first_day, upto (days since 1970), at_end, is_past.
p_level: period, month, quarter or year; p_settings: contract settings.';

-- What lies inside a cut: a span that is over, or the current one at the same cut. Amounts of nodes lie on the day they are booked to.
create or replace function rules.inside_cut(p_inner text, p_cut text)
returns text
language sql
immutable
parallel safe
return format('%1$s.first_day >= %2$s.first_day and %1$s.upto <= %2$s.upto and (%1$s.is_past or %1$s.upto = %2$s.upto)', p_inner, p_cut);
comment on function rules.inside_cut(text, text) is 'SQL condition: the rows of a lower span that count at a cut.
p_inner: alias of the lower span; p_cut: alias of the cut.';

-- Credit of the spans below, one amount a row, beside the amounts of nodes.
create or replace function rules.span_amounts(p_terms rules.compiled_term[], p_level text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_branches text;
begin
  select string_agg(case t.combine
      when 'add' then format('select no, %1$s::smallint, t%1$s::numeric, first_day, upto, is_past%3$s from _%2$ss where t%1$s <> 0', t.term_no, t.level, rules.own_flags(p_terms, t))
      else format('select no, %1$s::smallint, %2$s_excess, first_day, upto, is_past%3$s from _%2$ss where %2$s_winner = %1$s', t.term_no, t.level, rules.own_flags(p_terms, t)) end,
    E'\n    union all\n    ' order by t.term_no)
  into v_branches
  from unnest(p_terms) as t
  where t.kind = 'credit'
    and not t.is_guarantee
    and t.level = any (rules.span_levels())
    and rules.level_rank(t.level) < rules.level_rank(p_level);
  return case when v_branches is null then '_credit'
    else format(E'(\n    select no, term_no, quantity, books_day as first_day, books_day as upto, true as is_past%s from _credit\n    union all\n    %s\n  )',
      (select coalesce(string_agg(', counts_' || flag, '' order by flag), '') from rules.flags_in_use(p_terms) as flag), v_branches) end;
end
$$;
comment on function rules.span_amounts(rules.compiled_term[], text) is
'Relation of the credit amounts that a span adds up: those of nodes and of the spans below it.';

-- Totals of a span's credit from below, at each cut: paid, counted toward guarantee and threshold, and adds that join the span.
create or replace function rules.span_credit(p_terms rules.compiled_term[], p_level text, p_cuts text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_amounts text := rules.span_amounts(p_terms, p_level);
  v_joining text;
begin
  select string_agg(t.term_no::text, ', ') filter (where t.combine = 'add' and t.joins = p_level)
  into v_joining
  from unnest(p_terms) as t
  where t.kind = 'credit' and rules.level_rank(t.level) < rules.level_rank(p_level);
  return format($q$select x.no, cut.first_day, cut.upto,
    sum(x.quantity)%s as paid_credit,
    sum(x.quantity)%s as guarantee_credit,
    sum(x.quantity)%s as threshold_credit%s
  from %s as x
  join (%s) as cut on %s
  group by x.no, cut.first_day, cut.upto$q$,
    rules.counted_sql(p_terms, p_level, 'paid'), rules.counted_sql(p_terms, p_level, 'guarantee'), rules.counted_sql(p_terms, p_level, 'threshold'),
    case when v_joining is null then '' else format(E',\n    sum(case when x.term_no in (%s) then x.quantity end)%s as joining_credit',
      v_joining, rules.counted_sql(p_terms, p_level, 'paid')) end,
    v_amounts, p_cuts,
    case when v_amounts = '_credit' then 'x.books_day between cut.first_day and cut.upto' else rules.inside_cut('x', 'cut') end);
end
$$;
comment on function rules.span_credit(rules.compiled_term[], text, text) is
'SELECT of a span''s credit from below, per crew member and cut.
p_cuts: from rules.span_cuts().';

-- What terms of a span read, as level.name.
create or replace function rules.span_needs(p_terms rules.compiled_term[], p_level text)
returns text[]
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select coalesce(array_agg(distinct n order by n), '{}')
    from unnest(p_terms) as t
    cross join lateral unnest(coalesce((t.quantity).needs, '{}') || coalesce((t.gate).needs, '{}') || coalesce((t.price).needs, '{}')) as need
    cross join lateral (select case when need like 'to\_date.' || p_level || '\_%' then p_level || '.' || (rules.of_span(need)).name when t.level = p_level then need end) as wanted (n)
    where n is not null);
end
$$;
comment on function rules.span_needs(rules.compiled_term[], text) is
'Facts, measures and sums that the terms of a span read, and what others read of the span to date.';

-- Sums of what was measured below a span: the level each is made at.
create or replace function rules.span_sums(p_terms rules.compiled_term[], p_measures jsonb, p_level text)
returns table (name text, made_at text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select s.name, s.made_at
    from (
      select split_part(n, '.', 2) as name,
        coalesce(p_measures -> split_part(n, '.', 2) ->> 'level',
          (select f.level from rules.known_facts as f where f.name = split_part(n, '.', 2) and f.sums_upward
            order by rules.level_rank(f.level) desc limit 1)) as made_at
      from unnest(rules.span_needs(p_terms, p_level)) as n
      where split_part(n, '.', 1) = p_level
        and not exists (select from rules.known_facts as f where f.level = p_level and f.name = split_part(n, '.', 2))
    ) as s
    where s.made_at <> p_level;
end
$$;
comment on function rules.span_sums(rules.compiled_term[], jsonb, text) is
'Names that a span reads as sums from below, with the level each is measured at.';

-- All sums that a span takes from one stage, per crew member and cut.
create or replace function rules.span_sums_sql(p_stage text, p_names text[], p_cuts text, p_settings jsonb)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select format(E'select x.no, cut.first_day, cut.upto%s\n  from _%s as x\n  join (%s) as cut on %s\n  group by x.no, cut.first_day, cut.upto',
    (select string_agg(format(', sum(x.%1$s_%2$s) as %2$s', p_stage, name), '' order by name) from unnest(p_names) as name),
    case p_stage when 'duty' then 'duties' else p_stage || 's' end,
    p_cuts,
    case
      when p_stage = any (rules.span_levels()) then rules.inside_cut('x', 'cut')
      else format('x.%s between cut.first_day and cut.upto', case
        when p_stage = 'leg' then 'books_day'
        when p_stage in ('duty', 'trip') and p_settings ->> 'books' = 'end' then 'end_day'
        else 'day' end) end)
$$;
comment on function rules.span_sums_sql(text, text[], text, jsonb) is
'SELECT of the sums of measures of one level, by the day their node is booked to.
p_stage: level; p_names: measures or facts; p_cuts: from rules.span_cuts(); p_settings: contract settings.';

-- Duties of a span: days with a duty, and duties that are open at its end or were closed in it. A duty is open at the end of a day
-- when it has reported by midnight and its release is later.
create or replace function rules.span_duties_sql(p_cuts text)
returns text
language sql
immutable
parallel safe
return format($q$select x.no, cut.first_day, cut.upto,
    count(distinct x.day) filter (where x.day between cut.first_day and cut.upto)::integer as active_days,
    count(*) filter (where x.report_clock <= (cut.upto + 1) * 1440 and coalesce(x.release_clock > (cut.upto + 1) * 1440, true))::integer as open_duties,
    count(*) filter (where x.release_clock > cut.first_day * 1440 and x.release_clock <= (cut.upto + 1) * 1440)::integer as closed_duties
  from (
    select no, day,
      report + case when report >= base_change then base_offset_after else base_offset end as report_clock,
      release + case when release >= base_change then base_offset_after else base_offset end as release_clock
    from _duties
  ) as x
  cross join (%s) as cut
  group by x.no, cut.first_day, cut.upto$q$, p_cuts);
comment on function rules.span_duties_sql(text) is
'SELECT of the duties of a span: active_days, open_duties, closed_duties, per crew member and cut.
p_cuts: from rules.span_cuts().';

-- What credit of the span itself counts toward paid, guarantee or threshold: the winner's excess and the adds, by their flags.
create or replace function rules.span_more_sql(p_terms rules.compiled_term[], p_level text, p_total text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(string_agg(
    case t.combine
      when 'add' then format('coalesce(t%s, 0)', t.term_no)
      else format('case when %1$s_winner = %2$s then %1$s_excess else 0 end', p_level, t.term_no) end,
    ' + ' order by t.term_no), '0::numeric')
  from unnest(p_terms) as t
  where t.level = p_level
    and t.kind = 'credit'
    and not t.is_guarantee
    and rules.own_flag(t, p_total)
$$;
comment on function rules.span_more_sql(rules.compiled_term[], text, text) is
'SQL for the credit that a span''s own terms add to one of its totals.
p_total: paid, guarantee or threshold.';

-- A pay term reads the span's totals with the span's own credit.
create or replace function rules.span_pay_sql(p_sql text, p_level text)
returns text
language sql
immutable
parallel safe
return regexp_replace(p_sql, '\m' || p_level || '_(paid|guarantee|threshold)_credit\M', p_level || '_\1_all', 'g');
comment on function rules.span_pay_sql(text, text) is 'SQL of a pay term of a span, over totals that include the span''s own credit.';

-- The innermost SELECT of a span stage: who, which cut, facts, totals and sums.
create or replace function rules.span_source(p_terms rules.compiled_term[], p_level text, p_measures jsonb, p_settings jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_cuts text := rules.span_cuts(p_level, p_settings);
  v_needs text[] := rules.span_needs(p_terms, p_level);
  v_credit text := rules.span_credit(p_terms, p_level, v_cuts);
  v_held boolean := p_level in ('period', 'month') and rules.looks_back(p_settings);
  v_facts text;
  v_sums text;
  v_joins text;
begin
  -- The month's own facts are always there: a statement shows them.
  select string_agg(format(E',\n  %s as %s_%s', case
      when f.level = 'crew' and f.name = 'rate' then rules.rate_sql(rules.span_rate_day(p_level, p_settings))
      -- Before the period it was another, and not the month's last.
      when f.level = 'month' and f.name in ('is_last', 'period_index') then case
        when p_level = 'period' then 'u.' || f.name
        when f.name = 'is_last' then '(u.is_past or u.at_end and @is_last@)'
        else '(@period_index@ - (not u.at_end and not u.is_past)::integer)' end
      else regexp_replace(f.expression, '\ms\.', case when f.level = 'month' and v_held then 'held.' else 'p.' end, 'g') end, f.level, f.name),
    '' order by f.level, f.name)
  into v_facts
  from rules.known_facts as f
  where f.level || '.' || f.name = any (v_needs || format('{%1$s.paid_credit,%1$s.guarantee_credit,%1$s.threshold_credit}', p_level)::text[]);

  select string_agg(s.columns, '' order by s.made_at),
    string_agg(format(E'\nleft join (\n  %s\n) as %s_sums on %2$s_sums.no = p.no and %2$s_sums.first_day = u.first_day and %2$s_sums.upto = u.upto',
      rules.span_sums_sql(s.made_at, s.names, v_cuts, p_settings), s.made_at), '' order by s.made_at)
  into v_sums, v_joins
  from (
    select made_at, array_agg(name) as names,
      string_agg(format(E',\n  coalesce(%s_sums.%s, 0) as %s_%2$s', made_at, name, p_level), '' order by name) as columns
    from rules.span_sums(p_terms, p_measures, p_level)
    group by made_at
  ) as s;

  return format($q$select p.no, u.first_day, u.upto, u.at_end, u.is_past%1$s%2$s%3$s
from _people as p
cross join (
  %4$s
) as u
left join (
  %5$s
) as c on c.no = p.no and c.first_day = u.first_day and c.upto = u.upto%6$s%7$s%8$s%9$s
offset 0$q$,
    v_facts, coalesce(v_sums, ''),
    case when v_credit ~ 'joining_credit' then format(E',\n  coalesce(c.joining_credit, 0) as %s_joining_credit', p_level) else '' end,
    v_cuts, v_credit,
    case when v_facts ~ 'duties\.' then format(E'\nleft join (\n  %s\n) as duties on duties.no = p.no and duties.first_day = u.first_day and duties.upto = u.upto',
      rules.span_duties_sql(v_cuts)) else '' end,
    coalesce(v_joins, '') || case when v_facts ~ 'projected\.' then E'\nleft join (\n  select no, sum(quantity) as credit\n  from _projected_credit\n'
      '  where books_day between @month_first_day@ and @month_last@ - date ''1970-01-01''\n  group by no\n) as projected on projected.no = p.no' else '' end,
    case when v_held then E'\njoin _held as held on held.no = p.no and u.first_day between held.first_day and held.last_day' else '' end,
    -- A span that is over is of those who were employed in it; so is a period, while a month is settled with who has left.
    format(E'\nwhere %s (p.hire_day <= u.upto and coalesce(p.left_day >= u.first_day, true))', case p_level when 'period' then '' else 'not u.is_past or' end));
end
$$;
comment on function rules.span_source(rules.compiled_term[], text, jsonb, jsonb) is
'SELECT of the facts, totals and sums of a span at each cut.';

create or replace function rules.plan_span(p_terms rules.compiled_term[], p_level text, p_measures jsonb, p_settings jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_candidates text;
  v_winner text;
  v_guarantee text;
  v_guaranteed text;
  v_pay text;
  v_rounding rules.compiled_term;
  v_sql text;
begin
  if p_level <> 'month' and not exists (select from unnest(p_terms) as t where t.level = p_level) and rules.span_needs(p_terms, p_level) = '{}' then
    return null;
  end if;
  v_sql := rules.measure_layers(p_terms, p_level, rules.span_source(p_terms, p_level, p_measures, p_settings));

  -- A greatest-of compares with what came from below, without the adds that join the span itself.
  v_sql := format(E'select m.*, %s as base_credit%s\nfrom (%s) as m\noffset 0',
    p_level || '_paid_credit' || case when v_sql ~ (p_level || '_joining_credit') then format(' - %s_joining_credit', p_level) else '' end,
    rules.term_columns(p_terms, p_level), v_sql);

  select string_agg('t' || t.term_no, ', ') into v_candidates
  from unnest(p_terms) as t
  where t.level = p_level and t.kind = 'credit' and t.combine = 'greatest';
  -- Of equal candidates one is paid: the lower priority number, then the code.
  select string_agg(format('when t%1$s = greatest(%2$s) then %1$s', t.term_no, v_candidates), ' ' order by t.priority, t.term_code, t.term_no)
  into v_winner
  from unnest(p_terms) as t
  where t.level = p_level and t.kind = 'credit' and t.combine = 'greatest';
  v_sql := format(E'select m.*, %s\nfrom (%s) as m\noffset 0',
    case when v_candidates is null then format('0::numeric as %1$s_excess, null::smallint as %1$s_winner', p_level)
      else format('greatest(0, greatest(%1$s) - base_credit) as %3$s_excess, (case when greatest(%1$s) > base_credit then case %2$s end end)::smallint as %3$s_winner',
        v_candidates, v_winner, p_level) end,
    v_sql);

  select * into v_rounding from unnest(p_terms) as t where t.level = p_level and t.expanded ? 'rounding';
  if found then
    -- The remainder is one more add, of what all other credit has come to.
    v_sql := format(E'select m.*, %1$s - %2$s_exact_credit as t%3$s\nfrom (\n  select m.*, %2$s_paid_credit + %4$s as %2$s_exact_credit\n  from (%5$s) as m\noffset 0\n) as m\noffset 0',
      (v_rounding.quantity).sql, p_level, v_rounding.term_no,
      rules.span_more_sql(array(select t from unnest(p_terms) as t where not t.expanded ? 'rounding'), p_level, 'paid'), v_sql);
  end if;

  -- Of several guarantees only the greatest shortfall is paid. guarantee_minutes is what is guaranteed where its condition holds,
  -- guaranteed_minutes also where it doesn't because enough is credited: that is shown.
  select string_agg('t' || t.term_no, ', '),
    string_agg(case
      when (t.gate).sql is null or (t.gate).needs && array[p_level || '.paid_credit', p_level || '.guarantee_credit', p_level || '.threshold_credit']
        then format('(%s)', (t.quantity).sql)
      else 't' || t.term_no end, ', ')
  into v_guarantee, v_guaranteed
  from unnest(p_terms) as t
  where t.level = p_level and t.is_guarantee;
  v_sql := format(E'select m.*, %1$s_paid_credit + %2$s as %1$s_paid_all, %1$s_guarantee_credit + %3$s as %1$s_guarantee_all,\n  %1$s_threshold_credit + %4$s as %1$s_threshold_all%5$s\nfrom (%6$s) as m',
    p_level, rules.span_more_sql(p_terms, p_level, 'paid'), rules.span_more_sql(p_terms, p_level, 'guarantee'),
    rules.span_more_sql(p_terms, p_level, 'threshold'),
    case when v_guarantee is null and p_level <> 'month' then ''
      else format(E',\n  greatest(%s, null::numeric) as guarantee_minutes, greatest(%s, null::numeric) as guaranteed_minutes',
        coalesce(v_guarantee, 'null::numeric'), coalesce(v_guaranteed, 'null::numeric')) end,
    v_sql);

  -- Money of the span: what each pay term has come to. Zero where its condition doesn't hold, null where a fact is missing.
  select string_agg(
    format(', %s as t%s, %s as price%2$s',
      rules.span_pay_sql(case when (t.gate).sql is null then format('(%s)', (t.quantity).sql)
        else format('case when (%s) then (%s) else 0 end', (t.gate).sql, (t.quantity).sql) end, p_level),
      t.term_no, rules.span_pay_sql('(' || coalesce((t.price).sql, 'null') || ')::numeric', p_level)),
    '' order by t.term_no)
  into v_pay
  from unnest(p_terms) as t
  where t.level = p_level and t.kind in ('pay', 'advance');
  if v_pay is not null then
    v_sql := format(E'select m.*%s\nfrom (%s\noffset 0) as m', v_pay, v_sql);
  end if;
  return v_sql;
end
$$;
comment on function rules.plan_span(rules.compiled_term[], text, jsonb, jsonb) is
'SELECT of the stage of a span (_periods, _months, _quarters, _years): per crew member the span to date at each cut. Null where no term is
of the span; the month is always there.
p_level: period, month, quarter or year; p_measures: {"name": {"level", …}}; p_settings: contract settings.';
