-- Catches: a leg on the crew member's line that neither recorded nor paid pay knows; pay for a flight that the crew member was not on.
-- Example: MQ4525 of 7 January stands in the roster of 11004 and not in the payroll's file.
-- False alarms it avoids: legs of which a rig or guarantee of the duty pays more anyway are compared as lines, not as hours; legs of
-- a trip over the edge of the period belong to one side (UNDERPAYMENT, reason MONTH_BOUNDARY); assignments
-- that were retired; payrolls that don't pay by flight; what is not due yet.

create or replace function review.check_missing_flight(p_scope review.scope, p_settings jsonb)
returns setof review.finding
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select f.*
  from review.findings_of(p_scope, 'MISSING_FLIGHT', p_settings) as f
$$;
comment on function review.check_missing_flight(review.scope, jsonb) is
'Check MISSING_FLIGHT.
p_scope: what is looked at; p_settings: min_amount.';
