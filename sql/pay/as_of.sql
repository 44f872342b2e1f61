-- The facts that a plan reads: as on record now, or as they were at a moment.

create or replace function pay.tokens_as_of(p_tokens jsonb, p_period pay.pay_periods, p_at timestamptz)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select p_tokens || jsonb_build_object(
    '@members@', format('crew.members_as_of(%L::timestamptz)', p_at),
    '@flights@', format('crew.flights_as_of(%L::timestamptz)', p_at),
    '@trips@', format('crew.trips_as_of(%L::timestamptz)', p_at),
    '@assignments@', format('crew.assignments_as_of(%L::timestamptz)', p_at),
    '@months@', format('crew.months_as_of(%L::timestamptz)', p_at),
    '@advances@', format('pay.advances_paid(%L::uuid, %L::date, %L::date, %L::timestamptz)',
      p_period.enterprise_id, p_period.contract_month, p_period.start_date, p_at),
    '@keeps_advances@', 'false')
$$;
comment on function pay.tokens_as_of(jsonb, pay.pay_periods, timestamptz) is
'A plan''s tokens with the facts, and what was paid in advance, as on record at a moment.
p_tokens: from pay.plan_tokens(); p_period: the period; p_at: the moment.';

-- Position and base have no dates of their own, and a hire date is replaced when somebody is hired again: who was paid as a first
-- officer is not paid again as the captain that he has become, nor is somebody forgotten who was hired again since. The last day of an
-- engagement has a date: when it becomes known later, it counts. Who went on record only afterwards joins as he is then.
create or replace function pay.members_sql(p_at timestamptz, p_rates_at timestamptz, p_known_at timestamptz)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select format($q$(select %s
    from (
      select m.* from crew.members_as_of(%L::timestamptz) as m
      union all
      select c.* from crew.members_as_of(%4$L::timestamptz) as c
      where c.enterprise_id = @enterprise@
        and not exists (select from crew.members_as_of(%2$L::timestamptz) as known where known.enterprise_id = @enterprise@ and known.id = c.id)
    ) as member
    left join crew.members_as_of(%3$L::timestamptz) as rated on rated.enterprise_id = member.enterprise_id and rated.id = member.id
    left join (
      select distinct on (e.id, e.hire_date) e.id, e.hire_date, e.termination_date
      from (
        select c.id, c.hire_date, c.termination_date, 'infinity'::timestamptz as recorded_to
        from crew.members_as_of(%4$L::timestamptz) as c
        where c.enterprise_id = @enterprise@
        union all
        select (v.row_data ->> 'id')::uuid, (v.row_data ->> 'hire_date')::date, (v.row_data ->> 'termination_date')::date, v.recorded_to
        from crew.fact_versions as v
        where v.enterprise_id = @enterprise@ and v.table_name = 'crew.crew_members' and v.recorded_to > %2$L and v.recorded_to <= %4$L
      ) as e
      order by e.id, e.hire_date, e.recorded_to desc
    ) as engaged on engaged.id = member.id and engaged.hire_date = member.hire_date)$q$,
    string_agg(case a.attname
      when 'base_hourly_rate' then 'case when rated.id is null then member.base_hourly_rate else rated.base_hourly_rate end as base_hourly_rate'
      when 'termination_date' then 'coalesce(engaged.termination_date, member.termination_date) as termination_date'
      else format('member.%I', a.attname) end, ', ' order by a.attnum), p_at, p_rates_at, p_known_at)
  from pg_attribute as a
  where a.attrelid = 'crew.crew_members'::regclass and a.attnum > 0 and not a.attisdropped
$$;
comment on function pay.members_sql(timestamptz, timestamptz, timestamptz) is
'Relation of the crew members as on record at a moment, with the terminations and crew members recorded since, and hourly rates as of another; with a
plan''s tokens.
p_at: the moment; p_rates_at: when the rates were known; p_known_at: until when later records count, infinity: now.';

-- What a run has read: facts as on record then; back pay took crew members as the books had them.
create or replace function pay.tokens_of_run(p_tokens jsonb, p_period pay.pay_periods, p_run pay.pay_runs)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select pay.tokens_as_of(p_tokens, p_period, p_run.as_of) || case when p_run.members_as_of is not null then jsonb_build_object(
    '@members@', pay.members_sql(p_run.members_as_of, p_run.rates_as_of, p_run.as_of), '@keeps_advances@', 'true') else '{}'::jsonb end
$$;
comment on function pay.tokens_of_run(jsonb, pay.pay_periods, pay.pay_runs) is
'A plan''s tokens with the facts as a run has read them.
p_tokens: from pay.plan_tokens(); p_period: the period; p_run: a REGULAR or RETRO run of it.';
