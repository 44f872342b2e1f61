-- What kind of error a difference is.

-- A difference has one kind, so that two checks never report the same money.
create or replace function review.kind_of(
  p_component pay.component, p_reason review.reason, p_expected numeric, p_actual numeric)
returns review.discrepancy_type
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case
    when p_reason = 'DUPLICATE' then 'DUPLICATE_PAYMENT'
    when p_reason in ('LEG_NOT_PAID', 'LEG_NOT_FLOWN') then 'MISSING_FLIGHT'
    when p_reason = 'PREMIUM_NOT_PAID' then 'MISSING_PREMIUM'
    when p_reason in ('WRONG_LONGEVITY', 'WRONG_RATE') then 'RATE_MISMATCH'
    when p_component = 'per_diem' then 'PER_DIEM_ERROR'
    when p_component = 'guarantee' and p_expected > p_actual then 'GUARANTEE_SHORTFALL'
    when p_expected > p_actual then 'UNDERPAYMENT'
    else 'OVERPAYMENT'
  end::review.discrepancy_type
$$;
comment on function review.kind_of(pay.component, review.reason, numeric, numeric) is
'The type of a difference.
p_component: component of pay; p_reason: why; p_expected, p_actual: amounts.';

-- Slips of the hand: two neighbouring digits changed places, or the point stands one or two places off.
create or replace function review.is_clerical(p_expected numeric, p_actual numeric)
returns boolean
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with digits as (
    select abs(p_expected * 100)::bigint::text as e, abs(p_actual * 100)::bigint::text as a
  )
  select case
    when p_expected = p_actual or p_expected = 0 or p_actual = 0 then false
    when p_actual = -p_expected then true
    when p_actual in (p_expected * 10, p_expected * 100) or p_expected in (p_actual * 10, p_actual * 100) then true
    when length(d.e) <> length(d.a) then false
    -- Exchanging neighbours moves an amount by nine times the difference of the digits, at their place.
    when rtrim(abs(d.e::bigint - d.a::bigint)::text, '0') not in ('9', '18', '27', '36', '45', '54', '63', '72', '81') then false
    else exists (
      select
      from generate_series(1, length(d.e) - 1) as at (i)
      where d.a = overlay(d.e placing reverse(substr(d.e, i, 2)) from i for 2))
  end
  from digits as d
$$;
comment on function review.is_clerical(numeric, numeric) is
'Whether an amount is another one mistyped: neighbouring digits exchanged, the point one or two places off, the sign lost.
p_expected, p_actual: amounts to the cent.';

create or replace function review.severity_of(p_difference numeric, p_total numeric, p_least review.severity, p_limits jsonb)
returns review.severity
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  with graded as (
    select case
        when abs(p_difference) >= (p_limits ->> 'critical')::numeric then 4
        when abs(p_difference) >= (p_limits ->> 'high')::numeric then 3
        when abs(p_difference) >= (p_limits ->> 'medium')::numeric then 2
        else 1
      end as grade
  )
  select (enum_range(null::review.severity))[greatest(
    array_position(enum_range(null::review.severity), p_least),
    -- Small change stays small, whatever its share.
    least(4, g.grade + case
      when g.grade > 1 and p_total > 0 and abs(p_difference) >= p_total * (p_limits ->> 'share')::numeric then 1
      else 0
    end))]
  from graded as g
$$;
comment on function review.severity_of(numeric, numeric, review.severity, jsonb) is
'Severity of a difference by amount, by its share of the crew member''s pay in the period, and never below that of its check.
p_difference: expected minus actual; p_total: pay of the period, or null; p_least: severity of the check; p_limits: the setting review.detection.';

create or replace function review.subject_key(
  p_basis review.basis, p_component pay.component, p_flight uuid, p_level text, p_node bigint, p_subject text)
returns text
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select concat_ws('|', p_basis, p_component, coalesce(p_flight::text, case when p_level <> 'month' then p_level || p_node end), p_subject)
$$;
comment on function review.subject_key(review.basis, pay.component, uuid, text, bigint, text) is
'What tells a discrepancy from others of the same check, crew member and period.
p_basis, p_component, p_flight, p_level, p_node, p_subject: as in review.finding.';

create or replace function review.reason_text(p_reason review.reason)
returns text
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case p_reason
    when 'RIG_NOT_APPLIED' then 'A rig or minimum was not applied.'
    when 'WRONG_WINNER' then 'The lesser of the alternatives was paid.'
    when 'PREMIUM_NOT_PAID' then 'The premium was not paid.'
    when 'PREMIUM_NOT_DUE' then 'A premium was paid that is not due.'
    when 'WRONG_LONGEVITY' then 'The rate is that of another year of service or an earlier one.'
    when 'WRONG_RATE' then 'The hours are right, the rate is not.'
    when 'LATE_CHANGE' then 'It was paid as planned or computed before a later change.'
    when 'TERMS_CHANGED' then 'The contract terms have changed since it was computed.'
    when 'GUARANTEE_NOT_PAID' then 'The guarantee was not paid.'
    when 'GUARANTEE_PRORATION' then 'The guarantee was prorated wrongly.'
    when 'MONTH_BOUNDARY' then 'A trip over the edge of the period was counted on the wrong side.'
    when 'PER_DIEM' then 'The time away or its rate is wrong.'
    when 'DUPLICATE' then 'It was paid more than once.'
    when 'CLERICAL' then 'The amount was mistyped.'
    when 'LEG_NOT_PAID' then 'A leg that was flown is not paid.'
    when 'LEG_NOT_FLOWN' then 'A leg was paid that the crew member did not fly.'
    when 'NOTHING_PAID' then 'Nothing at all was paid.'
    when 'NOT_OWED' then 'Nothing at all is owed.'
    when 'STALE' then 'It was computed before facts changed.'
    when 'BAD_INPUT' then 'An input is missing or impossible.'
    when 'CLAUSE_NOT_IN_FORCE' then 'A clause is cited that is not in force.'
    else 'No known error explains it.'
  end
$$;
comment on function review.reason_text(review.reason) is 'A reason in words.
p_reason: reason.';
