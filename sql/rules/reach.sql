-- Spans, and how far back the facts of a plan reach.

create or replace function rules.span_levels()
returns text[]
language sql
immutable
parallel safe
return array['period', 'month', 'quarter', 'year'];
comment on function rules.span_levels() is 'The spans in which amounts are added up, the shortest first.';

-- How far back the facts of a plan reach, beyond the month: quarters, years and rolling measures need history.
create or replace function rules.reach_of(p_terms rules.compiled_term[])
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'span', case when bool_or(t.level = 'year') then 'year' when bool_or(t.level = 'quarter') then 'quarter' end,
    'months', max((t.expanded -> 'rolling' ->> 'months')::integer),
    'days', max((t.expanded -> 'rolling' ->> 'days')::integer)))
  from unnest(p_terms) as t
$$;
comment on function rules.reach_of(rules.compiled_term[]) is
'How far back a contract looks: {"span": quarter or year, "months": n, "days": n}, each where a term needs it; {} within the month.';

create or replace function rules.looks_back(p_settings jsonb)
returns boolean
language sql
immutable
parallel safe
return coalesce(p_settings -> 'reach', '{}') <> '{}';
comment on function rules.looks_back(jsonb) is 'Whether a plan stages facts of months before its own.
p_settings: contract settings.';

create or replace function rules.reach_first_sql(p_settings jsonb)
returns text
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case when not rules.looks_back(p_settings) then '@month_first@'
    else format('least(%s)', concat_ws(', ',
      case p_settings -> 'reach' ->> 'span' when 'year' then '@year_first@' when 'quarter' then '@quarter_first@' end,
      -- A node of this month may have begun a month ago, and looks back from there.
      '(@month_first@ - 31 - interval ''' || (p_settings -> 'reach' ->> 'months') || ' months'')::date',
      '@month_first@ - 31 - ' || (p_settings -> 'reach' ->> 'days'))) end
$$;
comment on function rules.reach_first_sql(jsonb) is 'SQL for the first day whose facts a plan needs.
p_settings: contract settings.';

-- Sources of a plan that looks back begin where its reach begins. Trips are staged whole.
create or replace function rules.reach_back(p_statement text, p_settings jsonb)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case when rules.looks_back(p_settings) then
      replace(replace(replace(p_statement,
        '@month_first@ - interval ''1 day''', s.first || ' - interval ''1 day'''),
        '@lo@', s.low),
        '@flights_of_crew@', format(' and (@crew@ is null or f.id = any ((select pay.flights_of(@enterprise@, @crew@, %s, @hi@))::uuid[]))', s.low))
    else p_statement end
  from (select r.first, format('(%s - 40)::timestamptz', r.first) as low from rules.reach_first_sql(p_settings) as r (first)) as s
$$;
comment on function rules.reach_back(text, jsonb) is
'A source''s SELECT with its span beginning where the plan''s reach begins.
p_statement: SELECT with tokens; p_settings: contract settings.';
