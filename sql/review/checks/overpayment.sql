-- Catches: a component of which more is recorded than facts and terms give, or more was paid than is recorded, and pay for people
-- who are owed nothing.
-- Example: overtime of $120.50 paid as $1,205.00.
-- False alarms it avoids: the second posting of a duplicate (DUPLICATE_PAYMENT), a leg not flown (MISSING_FLIGHT), a higher step of
-- the rate table (RATE_MISMATCH), per diem (PER_DIEM_ERROR); what is not due yet; rounding.

create or replace function review.check_overpayment(p_scope review.scope, p_settings jsonb)
returns setof review.finding
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select f.*
  from review.findings_of(p_scope, 'OVERPAYMENT', p_settings) as f
$$;
comment on function review.check_overpayment(review.scope, jsonb) is
'Check OVERPAYMENT.
p_scope: what is looked at; p_settings: min_amount.';
