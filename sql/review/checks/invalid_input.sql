-- Catches: inputs that could not be paid for (findings of the run whose results stand: no hourly rate, a fact that a matching clause
-- reads and nobody recorded), and flights that can't be: still under way after late_hours, or more than max_block_hours in the air.
-- Example: a leg of 12 January without arrival: its block is unknown, so its premium is not paid.
-- False alarms it avoids: flights that are still due to arrive; facts that no clause reads; a finding of an older run.

create or replace function review.check_invalid_input(p_scope review.scope, p_settings jsonb)
returns setof review.finding
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select f.crew_member_id, a.flight_id, t.component, 'RECORDED'::review.basis, f.level, f.node, f.code || ' ' || coalesce(f.term_id::text, ''), 0::numeric, 0::numeric,
    'BAD_INPUT'::review.reason, f.detail
  from pay.run_findings as f
  join pay.pay_calculations as c
    on c.enterprise_id = f.enterprise_id and c.crew_member_id = f.crew_member_id and c.run_id = f.run_id and c.pay_period_id = p_scope.pay_period_id
  left join crew.crew_assignments as a on f.level = 'leg' and a.enterprise_id = f.enterprise_id and a.leg_no = f.node
  left join lateral (
    select r.component from rules.ruleset_terms as r
    where r.enterprise_id = f.enterprise_id and r.ruleset_id = c.ruleset_id and r.term_id = f.term_id and r.component is not null
    limit 1
  ) as t on true
  where f.enterprise_id = p_scope.enterprise_id
    and f.crew_member_id is not null
    and (p_scope.crew is null or f.crew_member_id = any (p_scope.crew))
  union all
  select a.crew_member_id, g.id, null, 'RECORDED', 'leg', a.leg_no, 'flight', 0, 0, 'BAD_INPUT',
    format('%s %s–%s of %s: %s', g.flight_number, g.origin_airport, g.destination_airport, g.scheduled_departure::date,
      case when g.actual_arrival is null then 'no arrival recorded' else 'block of ' || (g.actual_arrival - g.actual_departure) end)
  from pay.pay_periods as p
  join crew.flights as g
    on g.enterprise_id = p.enterprise_id
    and g.scheduled_departure >= p.start_date::timestamptz - interval '1 day'
    and g.scheduled_departure < p.end_date::timestamptz + interval '2 days'
    and (g.status in ('SCHEDULED', 'DEPARTED') and g.actual_arrival is null
        and g.scheduled_arrival < p_scope.today::timestamptz - make_interval(hours => (p_settings ->> 'late_hours')::integer)
      or g.actual_arrival - g.actual_departure > make_interval(hours => (p_settings ->> 'max_block_hours')::integer))
  join crew.crew_assignments as a on a.enterprise_id = g.enterprise_id and a.flight_id = g.id and a.retired_at is null
  where p_scope.run_id is not null
    and p.enterprise_id = p_scope.enterprise_id
    and p.id = p_scope.pay_period_id
    and (p_scope.crew is null or a.crew_member_id = any (p_scope.crew))
$$;
comment on function review.check_invalid_input(review.scope, jsonb) is
'Check INVALID_INPUT. Flights are looked at only together with a recalculation.
p_scope: what is looked at; p_settings: late_hours, max_block_hours.';
