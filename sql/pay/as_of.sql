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

-- Position, base and employment have no dates of their own: who was paid as a first officer is not paid again as the captain that
-- he has become, nor is somebody forgotten who has left, or was hired again, since. Who went on record only afterwards joins as he is now.
create or replace function pay.members_sql(p_at timestamptz, p_rates_at timestamptz)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select format($q$(select %s
    from (
      select m.* from crew.members_as_of(%L::timestamptz) as m
      union all
      select c.* from crew.crew_members as c
      where c.enterprise_id = @enterprise@
        and not exists (select from crew.members_as_of(%2$L::timestamptz) as known where known.enterprise_id = @enterprise@ and known.id = c.id)
    ) as member
    left join crew.members_as_of(%3$L::timestamptz) as rated on rated.enterprise_id = member.enterprise_id and rated.id = member.id)$q$,
    string_agg(case a.attname
      when 'base_hourly_rate' then 'case when rated.id is null then member.base_hourly_rate else rated.base_hourly_rate end as base_hourly_rate'
      else format('member.%I', a.attname) end, ', ' order by a.attnum), p_at, p_rates_at)
  from pg_attribute as a
  where a.attrelid = 'crew.crew_members'::regclass and a.attnum > 0 and not a.attisdropped
$$;
comment on function pay.members_sql(timestamptz, timestamptz) is
'Relation of the crew members as on record at a moment, with those recorded since, and their hourly rates as of another; with a plan''s tokens.
p_at: the moment; p_rates_at: when the rates were known.';
