-- The credit stage of a plan: every amount of leg, duty, day and trip as it is booked, and what it counts toward.

-- Whether days are a stage of the plan: a term is of the day, or a pay term reads what a day has come to.
create or replace function rules.has_days(p_terms rules.compiled_term[])
returns boolean
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (
    select
    from unnest(p_terms) as t
    where t.level = 'day'
      or (coalesce((t.quantity).needs, '{}') || coalesce((t.gate).needs, '{}') || coalesce((t.price).needs, '{}')) && array['day.credit', 'day.base']);
end
$$;
comment on function rules.has_days(rules.compiled_term[]) is 'Whether the plan has the stage _days.';

create or replace function rules.is_time_based(p_term rules.compiled_term)
returns boolean
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select p_term.level in ('duty', 'trip') and (p_term.quantity).unit = 'min' and p_term.expanded ?| array['basis', 'value'] and not p_term.expanded ? 'hours'
$$;
comment on function rules.is_time_based(rules.compiled_term) is
'Whether a term''s quantity is time of a duty or trip, so that it can be booked by its minutes.';

-- How a term's amounts are booked. A default of split holds where there are minutes to split by.
create or replace function rules.books_of(p_term rules.compiled_term, p_settings jsonb)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return case
    when p_term.expanded ? 'books' then p_term.expanded ->> 'books'
    when p_settings ->> 'books' = 'split' and not rules.is_time_based(p_term) then 'start'
    else coalesce(p_settings ->> 'books', 'start') end;
end
$$;
comment on function rules.books_of(rules.compiled_term, jsonb) is 'start, end or split.
p_term: the term; p_settings: settings of the contract.';

-- A node's interval cut at the beginning of the month and at both ends of the period, on the base clock.
create or replace function rules.split_sql(p_alias text, p_start_at text, p_end_at text, p_start_day text, p_end_day text)
returns text
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select format($q$cross join lateral (
  select greatest(%3$s, span.first_day) as books_day,
    least(coalesce(%2$s, %1$s), (span.last_day + 1) * 1440 - case when (span.last_day + 1) * 1440 - %5$s.base_offset_after >= %5$s.base_change then %5$s.base_offset_after else %5$s.base_offset end)
    - greatest(%1$s, span.first_day * 1440 - case when span.first_day * 1440 - %5$s.base_offset_after >= %5$s.base_change then %5$s.base_offset_after else %5$s.base_offset end) as minutes,
    nullif(coalesce(%2$s, %1$s) - %1$s, 0) as of_minutes
  from (values
    (0, @month_first_day@ - 1), (@month_first_day@, @period_first_day@ - 1), (@period_first_day@, @period_last_day@), (@period_last_day@ + 1, 1000000))
    as span (first_day, last_day)
  where span.first_day <= %4$s and span.last_day >= %3$s and span.first_day <= span.last_day
) as piece$q$, p_start_at, p_end_at, p_start_day, p_end_day, p_alias)
$$;
comment on function rules.split_sql(text, text, text, text, text) is
'SQL of a lateral join whose rows are the pieces of a node by booked span: books_day, minutes, of_minutes.
p_alias: alias of the stage; p_start_at, p_end_at: its interval; p_start_day, p_end_day: its days.';

-- A treatment's word on one flag at a node: the innermost that says something, as its term number, negative for false.
create or replace function rules.treated_sql(p_terms rules.compiled_term[], p_flag text, p_level text, p_alias text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select case when count(*) > 0 then format('coalesce(%s)',
      string_agg(format('nullif(%s.%s_treat_%s, 0)', p_alias, t.level, substr(t.name, 7)), ', ' order by rules.level_rank(t.level))) end
    from unnest(p_terms) as t
    where t.kind = 'measure' and t.name = format('treat_%s_%s', p_flag, t.level) and rules.level_rank(t.level) >= rules.level_rank(p_level));
end
$$;
comment on function rules.treated_sql(rules.compiled_term[], text, text, text) is
'SQL of the treatment of a flag at a node; null where no treatment can reach it.
p_flag: guarantee, threshold or paid; p_level: level of the node; p_alias: alias of its stage.';

-- Treatments as measures of their level, so that what lies within reads them like any value from above.
-- Of several that match one node the lower priority number goes first.
create or replace function rules.treatments(p_terms rules.compiled_term[])
returns setof rules.compiled_term
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_found record;
  v_measure rules.compiled_term;
begin
  for v_found in
    select t.level, f.flag, min(t.term_no) as term_no,
      string_agg(format('when (%s) then %s%s', coalesce((t.gate).sql, 'true'), case when t.expanded -> f.parameter = 'false' then '-' else '' end, t.term_no),
        ' ' order by t.priority, t.term_code, t.term_no) as branches,
      array(select distinct need from unnest(p_terms) as o cross join lateral unnest(coalesce((o.gate).needs, '{}')) as need
        where o.kind = 'treatment' and o.level = t.level and o.expanded ? f.parameter) as needs
    from unnest(p_terms) as t
    cross join (values ('guarantee', 'toward_guarantee'), ('threshold', 'toward_threshold'), ('paid', 'paid')) as f (flag, parameter)
    where t.kind = 'treatment' and t.expanded ? f.parameter
    group by t.level, f.flag, f.parameter
  loop
    v_measure := null;
    v_measure.kind := 'measure';
    v_measure.term_no := v_found.term_no;
    v_measure.level := v_found.level;
    v_measure.name := format('treat_%s_%s', v_found.flag, v_found.level);
    v_measure.expanded := '{}';
    v_measure.quantity := (format('(case %s else 0 end)', v_found.branches), 'int', 'none', false, v_found.needs)::rules.sql_expression;
    -- After all measures that it can read.
    v_measure.depth := (select 1 + coalesce(max(t.depth), 0) from unnest(p_terms) as t where t.kind = 'measure' and t.level = v_found.level);
    return next v_measure;
  end loop;
end
$$;
comment on function rules.treatments(rules.compiled_term[]) is
'Treatments as measures treat_<flag>_<level>: the number of the treatment that says so, negative where it says false, 0 for none.';

create or replace function rules.has_unpaid(p_terms rules.compiled_term[])
returns boolean
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (select from unnest(p_terms) as t where t.kind = 'treatment' and t.expanded ? 'paid' or t.expanded -> 'paid' = 'false');
end
$$;
comment on function rules.has_unpaid(rules.compiled_term[]) is 'Whether a line can stand without money: a treatment, or a term that isn''t paid.';

-- Flags that are columns of _credit: those that a treatment can set, and where something isn't paid, whether it is.
create or replace function rules.flags_in_use(p_terms rules.compiled_term[])
returns setof text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select f.flag
    from (values ('guarantee', 'toward_guarantee'), ('threshold', 'toward_threshold'), ('paid', 'paid')) as f (flag, parameter)
    where exists (select from unnest(p_terms) as t where t.kind = 'treatment' and t.expanded ? f.parameter)
      or f.flag = 'paid' and rules.has_unpaid(p_terms);
end
$$;
comment on function rules.flags_in_use(rules.compiled_term[]) is 'guarantee, threshold, paid: the flags that amounts carry as columns counts_<flag>.';

-- A term's own word on a flag.
create or replace function rules.own_flag(p_term rules.compiled_term, p_flag text)
returns boolean
language sql
immutable
parallel safe
return case p_flag when 'guarantee' then p_term.toward_guarantee when 'threshold' then p_term.toward_threshold else coalesce((p_term.expanded ->> 'paid')::boolean, true) end;
comment on function rules.own_flag(rules.compiled_term, text) is 'Whether a term''s credit counts by its own word.
p_flag: guarantee, threshold or paid.';

create or replace function rules.own_flags(p_terms rules.compiled_term[], p_term rules.compiled_term)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(string_agg(', ' || rules.own_flag(p_term, flag), '' order by flag), '') from rules.flags_in_use(p_terms) as flag
$$;
comment on function rules.own_flags(rules.compiled_term[], rules.compiled_term) is 'SELECT items: the flags in use as a term of a span has them.';

-- Which credit counts toward the guarantee or the threshold, or is paid.
create or replace function rules.counted_sql(p_terms rules.compiled_term[], p_level text, p_flag text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return case
    when p_flag in (select rules.flags_in_use(p_terms)) then format(' filter (where x.counts_%s)', p_flag)
    else coalesce((
      select ' filter (where x.term_no not in (' || string_agg(t.term_no::text, ', ' order by t.term_no) || '))'
      from unnest(p_terms) as t
      where t.kind = 'credit' and rules.level_rank(t.level) < rules.level_rank(p_level) and not rules.own_flag(t, p_flag)), '')
    end;
end
$$;
comment on function rules.counted_sql(rules.compiled_term[], text, text) is
'SQL filter over amounts x that count in a span; empty where all do.
p_level: the span; p_flag: guarantee, threshold or paid.';

-- Whether an amount counts, as the last columns of a row of _credit; none for flags that no treatment sets.
create or replace function rules.flag_columns(p_terms rules.compiled_term[], p_level text, p_alias text, p_term_no text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select coalesce(string_agg(format(', %s as counts_%s',
        case when treated.sql is null then own.flag else format('case when %1$s is null then %2$s else %1$s > 0 end', treated.sql, own.flag) end, f.flag),
      '' order by f.flag), '')
    from rules.flags_in_use(p_terms) as f (flag)
    cross join lateral (select rules.treated_sql(p_terms, f.flag, p_level, p_alias)) as treated (sql)
    cross join lateral (
      select coalesce(format('(%s not in (', p_term_no) || string_agg(t.term_no::text, ', ' order by t.term_no) || '))', 'true')
      from unnest(p_terms) as t
      where t.kind = 'credit' and t.level = p_level and not rules.own_flag(t, f.flag)
    ) as own (flag));
end
$$;
comment on function rules.flag_columns(rules.compiled_term[], text, text, text) is
'SELECT items counts_<flag> of a credit amount.
p_level: level of the node; p_alias: alias of its stage; p_term_no: SQL of the term''s number.';

-- One credit amount per row: the winner's excess at each node, and each add.
-- Leg amounts are booked by the leg's departure, all others by the start or end of their node, or split by its minutes.
create or replace function rules.plan_credit(p_terms rules.compiled_term[], p_settings jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_branches text[] := array[]::text[];
  v_level record;
  v_books record;
  v_term rules.compiled_term;
begin
  for v_level in
    select *
    from (values
      ('leg', '_legs', 'leg_no', 'n.books_day', 'n.books_day', null, null),
      ('duty', '_duties', 'report::bigint', 'n.day', 'n.end_day', 'n.report', 'n.release'),
      ('day', '_days', 'day::bigint', 'n.day', 'n.day', null, null),
      ('trip', '_trips', 'trip_no', 'n.day', 'n.end_day', 'n.start_at', 'n.end_at')) as l (level, stage, node, start_day, end_day, start_at, end_at)
    where l.level <> 'day' or rules.has_days(p_terms)
  loop
    for v_books in
      select rules.books_of(t, p_settings) as books, array_agg(t.term_no order by t.term_no) as term_nos
      from unnest(p_terms) as t
      where t.level = v_level.level and t.kind = 'credit' and t.combine = 'greatest'
      group by 1
      order by 1
    loop
      v_branches := v_branches || format(
        'select n.no, n.winner as term_no, n.%s as node, n.excess%s as quantity, n.day as rate_day, %s as books_day%s from %s as n%s where %s',
        v_level.node,
        case when v_books.books = 'split' then ' * coalesce(piece.minutes::numeric / piece.of_minutes, 1)' else '' end,
        case v_books.books when 'split' then 'piece.books_day' when 'end' then v_level.end_day else v_level.start_day end,
        rules.flag_columns(p_terms, v_level.level, 'n', 'n.winner'), v_level.stage,
        case when v_books.books = 'split' then E'\n' || rules.split_sql('n', v_level.start_at, v_level.end_at, v_level.start_day, v_level.end_day) else '' end,
        case when (select count(distinct rules.books_of(t, p_settings)) from unnest(p_terms) as t
            where t.level = v_level.level and t.kind = 'credit' and t.combine = 'greatest') > 1
          then format('n.winner = any (%L::smallint[])', v_books.term_nos) else 'n.winner is not null' end
          || case when v_books.books = 'split' then ' and (piece.minutes <> 0 or piece.of_minutes is null)' else '' end);
    end loop;
    foreach v_term in array p_terms loop
      if v_term.level = v_level.level and v_term.kind = 'credit' and v_term.combine = 'add' then
        v_branches := v_branches || format(
          'select n.no, %s::smallint as term_no, n.%s as node, n.t%s%s as quantity, n.day as rate_day, %s as books_day%s from %s as n%s where n.t%s <> 0%s',
          v_term.term_no, v_level.node, v_term.term_no,
          case when rules.books_of(v_term, p_settings) = 'split' then ' * coalesce(piece.minutes::numeric / piece.of_minutes, 1)' else '::numeric' end,
          case rules.books_of(v_term, p_settings) when 'split' then 'piece.books_day' when 'end' then v_level.end_day else v_level.start_day end,
          rules.flag_columns(p_terms, v_level.level, 'n', v_term.term_no::text), v_level.stage,
          case when rules.books_of(v_term, p_settings) = 'split'
            then E'\n' || rules.split_sql('n', v_level.start_at, v_level.end_at, v_level.start_day, v_level.end_day) else '' end,
          v_term.term_no,
          case when rules.books_of(v_term, p_settings) = 'split' then ' and (piece.minutes <> 0 or piece.of_minutes is null)' else '' end);
      end if;
    end loop;
  end loop;
  if cardinality(v_branches) = 0 then
    return 'select null::integer as no, null::smallint as term_no, null::bigint as node, null::numeric as quantity, null::integer as rate_day, null::integer as books_day'
      || rules.flag_columns(p_terms, 'leg', 'n', '0') || ' from _legs as n where false';
  end if;
  return array_to_string(v_branches, E'\nunion all\n');
end
$$;
comment on function rules.plan_credit(rules.compiled_term[], jsonb) is
'SELECT of the stage _credit: every credit amount with its term, node, the day whose rate pays it, the day it is booked to, and
where treatments are in play whether it counts toward guarantee and threshold and is paid.';
