-- Catches: a component of which less is recorded than the facts and terms now on record give, or less was paid than is recorded:
-- a rig that was not applied, the lesser of a greatest-of, a leg booked to the wrong month, a late change, a slip of the hand.
-- Example: a captain's duty of 12:00 with 3:10 of legs earns 4:00 by the one-for-three rig; payroll paid 3:10. 0:50 is missing.
-- False alarms it avoids: money that is not due yet (pay date plus due_days of the component); a payroll that has not posted
-- anything of the period; rounding up to the tolerance; what MISSING_FLIGHT, MISSING_PREMIUM, GUARANTEE_SHORTFALL, RATE_MISMATCH,
-- PER_DIEM_ERROR and DUPLICATE_PAYMENT report.

create or replace function review.check_underpayment(p_scope review.scope, p_settings jsonb)
returns setof review.finding
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select f.*
  from review.findings_of(p_scope, 'UNDERPAYMENT', p_settings) as f
$$;
comment on function review.check_underpayment(review.scope, jsonb) is
'Check UNDERPAYMENT.
p_scope: what is looked at; p_settings: min_amount.';
