-- Catches: pay at the step of another year of service, at a former rate, or at any other rate for the right hours. All legs that were
-- paid at it are one finding.
-- Example: a flight attendant in her fourth year paid $20.05 instead of $23.60 for each of 31 legs.
-- False alarms it avoids: a rate that changed on an anniversary or a new contract inside the period (lines carry the rate of their
-- day); differences in hours (UNDERPAYMENT, OVERPAYMENT).

create or replace function review.check_rate_mismatch(p_scope review.scope, p_settings jsonb)
returns setof review.finding
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select f.*
  from review.findings_of(p_scope, 'RATE_MISMATCH', p_settings) as f
$$;
comment on function review.check_rate_mismatch(review.scope, jsonb) is
'Check RATE_MISMATCH.
p_scope: what is looked at; p_settings: min_amount.';
