-- Catches: a leg, duty or trip whose premium (night, holiday, delay, override) is due and of which nothing is recorded or paid:
-- usually a flag that was never set.
-- Example: XP301 left at 23:10; ALPA_Section_12.C pays half a rate on top for 3:20, and none was paid.
-- False alarms it avoids: a premium that lost a conflict to another (the recalculation obeys the rule graph); one paid partly
-- (UNDERPAYMENT); weather delays, which no clause pays; what is not due yet.

create or replace function review.check_missing_premium(p_scope review.scope, p_settings jsonb)
returns setof review.finding
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select f.*
  from review.findings_of(p_scope, 'MISSING_PREMIUM', p_settings) as f
$$;
comment on function review.check_missing_premium(review.scope, jsonb) is
'Check MISSING_PREMIUM.
p_scope: what is looked at; p_settings: min_amount.';
