-- Catches: a payment that stands there more than once for the same crew member, component and flight, where the copies are
-- exactly what is too much.
-- Example: two postings of $96.12 for MQ4525 of 7 January, one expected.
-- False alarms it avoids: equal amounts that are both owed (two trips of the same length): they are duplicates only if without the
-- copies the sum is right.

create or replace function review.check_duplicate_payment(p_scope review.scope, p_settings jsonb)
returns setof review.finding
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select f.*
  from review.findings_of(p_scope, 'DUPLICATE_PAYMENT', p_settings) as f
$$;
comment on function review.check_duplicate_payment(review.scope, jsonb) is
'Check DUPLICATE_PAYMENT.
p_scope: what is looked at; p_settings: min_amount.';
