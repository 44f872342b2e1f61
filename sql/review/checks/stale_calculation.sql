-- Catches: results that were computed before facts of their crew member and period, or terms, went on record, where no recalculation
-- says yet what that changes.
-- Example: the arrival of a flight was corrected after the run of the night.
-- False alarms it avoids: with a recalculation it finds nothing: a change that makes a difference is reported as that difference,
-- one that makes none is no discrepancy.

create or replace function review.check_stale_calculation(p_scope review.scope, p_settings jsonb)
returns setof review.finding
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select c.crew_member_id, null::uuid, null::pay.component, 'RECORDED'::review.basis, null::text, null::bigint, null::text, 0::numeric, 0::numeric,
    'STALE'::review.reason, format('Computed at %s; %s.', date_trunc('second', r.as_of), s.changed)
  from pay.pay_periods as p
  cross join lateral review.changed_crew(p) as s
  join pay.pay_calculations as c on c.enterprise_id = p.enterprise_id and c.pay_period_id = p.id and c.crew_member_id = s.crew_member_id
  join pay.pay_runs as r on r.enterprise_id = c.enterprise_id and r.id = c.run_id
  where p_scope.run_id is null
    and p.enterprise_id = p_scope.enterprise_id
    and p.id = p_scope.pay_period_id
    and (p_scope.crew is null or c.crew_member_id = any (p_scope.crew))
$$;
comment on function review.check_stale_calculation(review.scope, jsonb) is
'Check STALE_CALCULATION; without a recalculation only.
p_scope: what is looked at; p_settings: none of its own.';
