-- Catches: per diem that differs from time away times rate, up or down.
-- Example: 61:20 away at $2.50 is $153.33; $138.00 was paid, the rate of cabin crew.
-- False alarms it avoids: per diem posted later than pay (due_days of per_diem); rounding of single trips within the tolerance.

create or replace function review.check_per_diem_error(p_scope review.scope, p_settings jsonb)
returns setof review.finding
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select f.*
  from review.findings_of(p_scope, 'PER_DIEM_ERROR', p_settings) as f
$$;
comment on function review.check_per_diem_error(review.scope, jsonb) is
'Check PER_DIEM_ERROR.
p_scope: what is looked at; p_settings: min_amount.';
