-- Catches: a top-up to the monthly guarantee that is missing or too small.
-- Example: 62:00 of credit against a guarantee of 75:00; the 13:00 were prorated as if for half a month.
-- False alarms it avoids: periods that are not the last of their month (the shortfall is paid with the last); a guarantee that is
-- too high (OVERPAYMENT); a new hire's or leaver's share, which the recalculation prorates; what is not due yet.

create or replace function review.check_guarantee_shortfall(p_scope review.scope, p_settings jsonb)
returns setof review.finding
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select f.*
  from review.findings_of(p_scope, 'GUARANTEE_SHORTFALL', p_settings) as f
$$;
comment on function review.check_guarantee_shortfall(review.scope, jsonb) is
'Check GUARANTEE_SHORTFALL.
p_scope: what is looked at; p_settings: min_amount.';
