-- Advances: credit paid in a period that isn't the month's last, instead of what was earned in it. The last period pays what was
-- earned in the whole month and takes back what was paid in advance: what the books say, not what the advance would be by now.

create or replace function rules.has_advances(p_terms rules.compiled_term[])
returns boolean
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select exists (select from unnest(p_terms) as t where t.kind = 'advance')
$$;
comment on function rules.has_advances(rules.compiled_term[]) is 'Whether a contract pays in advance.';

-- What is known of the whole month before it is over: flown as far as it is flown, scheduled for the rest.
create or replace function rules.projects(p_terms rules.compiled_term[])
returns boolean
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (
    select
    from unnest(p_terms) as t
    where 'month.projected_credit' = any (coalesce((t.quantity).needs, '{}') || coalesce((t.gate).needs, '{}')));
end
$$;
comment on function rules.projects(rules.compiled_term[]) is 'Whether a term reads the projected credit of the month.';

create or replace function rules.reach_forward(p_terms rules.compiled_term[], p_statement text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case when rules.projects(p_terms) then replace(p_statement, '@hi@', '(@month_last@ + 40)::timestamptz') else p_statement end
$$;
comment on function rules.reach_forward(rules.compiled_term[], text) is
'A source''s SELECT that reaches past the month''s end where the contract projects the month.
p_terms: all terms; p_statement: SELECT with tokens.';

-- Flights with the times of the schedule, moved by the delay of the departure, where actual ones are missing.
create or replace function rules.scheduled_flights_sql()
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select format('(select %s from @flights@ as scheduled)', string_agg(case a.attname
        when 'actual_departure' then 'coalesce(scheduled.actual_departure, scheduled.scheduled_departure) as actual_departure'
        when 'actual_arrival' then 'coalesce(scheduled.actual_arrival, coalesce(scheduled.actual_departure, scheduled.scheduled_departure)'
          || ' + (scheduled.scheduled_arrival - scheduled.scheduled_departure)) as actual_arrival'
        else format('scheduled.%I', a.attname) end, ', ' order by a.attnum))
    from pg_attribute as a
    where a.attrelid = 'crew.flights'::regclass and a.attnum > 0 and not a.attisdropped);
end
$$;
comment on function rules.scheduled_flights_sql() is 'Relation of flights whose missing times are those of the schedule; with a plan''s tokens.';

-- A stage of the month as projected: the same SELECT over flights whose missing times are those of the schedule.
create or replace function rules.projected(p_terms rules.compiled_term[], p_statement text)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select case when rules.projects(p_terms) then
    regexp_replace(
      replace(replace(replace(replace(
        replace(rules.reach_forward(p_terms, p_statement), '@flights_of_crew@', ' and (@crew@ is null or f.id = any ((select pay.flights_of(@enterprise@, @crew@, @lo@, (@month_last@ + 40)::timestamptz))::uuid[]))'),
        '@period_last@', '@month_last@'), '@period_last_day@', '(@month_last@ - date ''1970-01-01'')'),
        '@period_first_day@', '@month_first_day@'),
        '@flights@', flights.source),
      '\m_(legs|duties|days|trips|credit)\M', '_projected_\1', 'g') end
  from rules.scheduled_flights_sql() as flights (source)
$$;
comment on function rules.projected(rules.compiled_term[], text) is
'The SELECT of a stage for the whole month as projected; null where no term asks for it.
p_terms: all terms; p_statement: SELECT of the stage.';

create or replace function rules.plan_advances(p_terms rules.compiled_term[])
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_codes text;
  v_branches text;
begin
  if not rules.has_advances(p_terms) then
    return null;
  end if;
  select string_agg(format('when %s then %s', rules.text_sql(t.term_code), t.term_no), ' ' order by t.term_no) || format(' else %s', min(t.term_no)),
    string_agg(format($q$
union all
select m.no, m.first_day, m.upto, %1$s::smallint, m.t%1$s::numeric, %2$s, true
from _periods as m
join _people as p on p.no = m.no
where m.at_end and m.t%1$s > 0 and not @is_last@ and not @keeps_advances@$q$,
      t.term_no, rules.cents_sql('m.t' || t.term_no, rules.rate_sql('@period_last_day@'), true)), '' order by t.term_no)
  into v_codes, v_branches
  from unnest(p_terms) as t
  where t.kind = 'advance';
  return format($q$select p.no, paid.first_day, paid.last_day, (case paid.term_code %s end)::smallint as term_no, paid.minutes, paid.cents,
  paid.first_day = @period_first_day@ as is_current
from @advances@ as paid
join _people as p on p.id = paid.crew_member_id
where paid.first_day < @period_first_day@ or @keeps_advances@$q$, v_codes) || v_branches;
end
$$;
comment on function rules.plan_advances(rules.compiled_term[]) is
'SELECT of the stage _advances: what the month''s periods up to this one have paid in advance, from the books, and what this one pays.
Null where a contract pays nothing in advance.';

-- Where a period pays in advance, what is booked to it waits for the month's last.
create or replace function rules.is_due_sql(p_advance text, p_first_day text)
returns text
language sql
immutable
parallel safe
return format('case when @is_last@ then %2$s >= @period_first_day@ or %1$s.no is not null else %2$s >= @period_first_day@ and %1$s.no is null end', p_advance, p_first_day);
comment on function rules.is_due_sql(text, text) is
'SQL condition: an amount of the month is paid by this period.
p_advance: alias of the advance of the period that the amount is booked to; p_first_day: SQL for a day of that period.';

create or replace function rules.advance_periods_sql()
returns text
language sql
immutable
parallel safe
return '(select distinct no, first_day, last_day from _advances)';
comment on function rules.advance_periods_sql() is 'Relation of the periods that crew members were paid in advance for.';

create or replace function rules.advance_lines(p_terms rules.compiled_term[], p_settings jsonb)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return case when rules.has_advances(p_terms) then format($q$select a.no, a.term_no, 0::bigint,
  sum(case when a.is_current then a.minutes else -a.minutes end), sum(case when a.is_current then a.cents else -a.cents end)%s
from _advances as a
where a.is_current or @is_last@
group by a.no, a.term_no$q$, case p_settings ->> 'round_money' when 'total' then ' * 0.01' else '::integer' end) end;
end
$$;
comment on function rules.advance_lines(rules.compiled_term[], jsonb) is
'SELECT of the lines of advances: paid, and taken back with the month''s last period.
p_terms: all terms; p_settings: contract settings.';
