-- Whose results are older than their facts.

create or replace function review.changed_crew(p_period pay.pay_periods)
returns table (crew_member_id uuid, changed text)
language sql
stable
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
as $$
  with computed as materialized (
    select c.crew_member_id, r.as_of
    from pay.pay_calculations as c
    join pay.pay_runs as r on r.enterprise_id = c.enterprise_id and r.id = c.run_id
    where c.enterprise_id = p_period.enterprise_id and c.pay_period_id = p_period.id
  ),
  oldest as materialized (
    select min(c.as_of) as as_of from computed as c
  ),
  legs as materialized (
    select l.crew_member_id, l.flight_id, l.trip_id, l.updated_at from pay.legs_of(p_period) as l
    where (select o.as_of from oldest as o) is not null
  )
  select c.crew_member_id, min(x.changed)
  from (
    select l.crew_member_id, l.updated_at, 'an assignment changed since' as changed
    from legs as l
    where l.updated_at > (select o.as_of from oldest as o)
    union all
    select l.crew_member_id, f.updated_at, 'flight ' || f.flight_number || ' changed since'
    from crew.flights as f
    join legs as l on l.flight_id = f.id
    where f.enterprise_id = p_period.enterprise_id and f.updated_at > (select o.as_of from oldest as o)
    union all
    select l.crew_member_id, t.updated_at, 'trip ' || t.trip_number || ' changed since'
    from crew.trips as t
    join legs as l on l.trip_id = t.id
    where t.enterprise_id = p_period.enterprise_id and t.updated_at > (select o.as_of from oldest as o)
    union all
    select m.crew_member_id, m.updated_at, 'the crew month changed since'
    from crew.crew_months as m
    where m.enterprise_id = p_period.enterprise_id and m.month = p_period.contract_month and m.updated_at > (select o.as_of from oldest as o)
    union all
    select m.id, m.updated_at, 'the crew member''s record changed since'
    from crew.crew_members as m
    where m.enterprise_id = p_period.enterprise_id and m.updated_at > (select o.as_of from oldest as o)
    union all
    select m.id, greatest(t.recorded_at, t.superseded_at), 'clause ' || t.term_code || ' changed since'
    from rules.union_contract_terms as t
    join crew.crew_members as m on m.enterprise_id = t.enterprise_id and m.position = any (t.applies_to)
    where t.enterprise_id = p_period.enterprise_id
      and greatest(t.recorded_at, t.superseded_at) > (select o.as_of from oldest as o)
      and t.effective_date <= p_period.end_date
      and (t.expiration_date is null or t.expiration_date > p_period.contract_month)
  ) as x
  join computed as c on c.crew_member_id = x.crew_member_id and x.updated_at > c.as_of
  group by c.crew_member_id
$$;
comment on function review.changed_crew(pay.pay_periods) is
'Crew members whose result of a period is older than their facts or terms, with the first thing that changed.
p_period: period.';
