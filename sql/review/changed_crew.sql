-- Whose results are older than their facts: who is marked dirty. Facts of periods that aren't open don't change; corrections of them
-- are queued for back pay.

create or replace function review.changed_crew(p_period pay.pay_periods)
returns table (crew_member_id uuid, changed text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with marks as materialized (
    select m.crew_member_id, min(m.cause) as cause, min(m.marked_at) as marked_at
    from pay.dirty_marks as m
    where m.enterprise_id = p_period.enterprise_id and m.pay_period_id = p_period.id
    group by m.crew_member_id
  )
  select c.crew_member_id, format('%s changed at %s', min(m.cause), date_trunc('second', min(m.marked_at)))
  from marks as m
  join pay.pay_calculations as c
    on c.enterprise_id = p_period.enterprise_id and c.pay_period_id = p_period.id and (m.crew_member_id is null or c.crew_member_id = m.crew_member_id)
  group by c.crew_member_id
$$;
comment on function review.changed_crew(pay.pay_periods) is
'Crew members whose result of a period is older than their facts or terms, with what changed first.
p_period: period.';
