-- Each reason by the facts that tell it, and which of two goes first.
begin;
create function test.told(p_reason text, p_facts jsonb, p_what text) returns text language sql
return is(
  review.reason_of(jsonb_populate_record(
    null::review.evidence,
    '{"component": "flight_pay", "expected": 200, "actual": 160, "minutes": 120, "lines": 1, "paid_minutes": 96, "paid_lines": 1, "repeated": 0,
      "was_recorded": false}' || p_facts))::text,
  p_reason, p_what);
select plan(30);

select test.told('UNEXPLAINED', '{}', 'nothing known');
select test.told('DUPLICATE', '{"actual": 400, "repeated": 200}', 'what is too much was paid twice');
select test.told('UNEXPLAINED', '{"actual": 390, "repeated": 200}', 'twice, and something else');

-- One side has nothing of a leg.
select test.told('LEG_NOT_PAID', '{"flight_id": "00000000-0000-0000-0000-000000000001", "actual": 0, "paid_lines": null}', 'a leg without payment');
select test.told('PREMIUM_NOT_PAID', '{"flight_id": "00000000-0000-0000-0000-000000000001", "component": "premium", "actual": 0, "paid_lines": null}', 'a premium without payment');
select test.told('MONTH_BOUNDARY', '{"flight_id": "00000000-0000-0000-0000-000000000001", "actual": 0, "paid_lines": null, "crosses": true}', 'a leg over the edge without payment');
select test.told('LEG_NOT_FLOWN', '{"flight_id": "00000000-0000-0000-0000-000000000001", "expected": 0, "lines": null}', 'paid for a stranger''s leg');
select test.told('LEG_NOT_FLOWN', '{"flight_id": "00000000-0000-0000-0000-000000000001", "expected": 0, "lines": null, "is_current": false, "crosses": true}', 'paid for a leg that was given back');
select test.told('MONTH_BOUNDARY', '{"flight_id": "00000000-0000-0000-0000-000000000001", "expected": 0, "lines": null, "is_current": true, "crosses": true}', 'paid for a leg of another period');
select test.told('PREMIUM_NOT_DUE', '{"component": "delay_pay", "expected": 0, "lines": null}', 'a premium that no line has');

-- What was recorded before explains any component.
select test.told('LATE_CHANGE', '{"was_recorded": true}', 'paid as it was recorded before');
select test.told('LATE_CHANGE', '{"component": "per_diem", "was_recorded": true}', 'per diem as it was recorded before');

select test.told('PER_DIEM', '{"component": "per_diem"}', 'per diem');
select test.told('GUARANTEE_NOT_PAID', '{"component": "guarantee", "actual": 0}', 'no guarantee');
select test.told('GUARANTEE_PRORATION', '{"component": "guarantee"}', 'a guarantee of another size');
select test.told('PREMIUM_NOT_PAID', '{"component": "premium", "actual": 0}', 'no premium');
select test.told('PREMIUM_NOT_PAID', '{"component": "premium", "clause_level": "leg"}', 'one clause of the premium');
select test.told('PREMIUM_NOT_DUE', '{"component": "premium", "actual": 260}', 'more premium than is due');

-- 120 minutes planned, 150 flown, at 100 an hour.
select test.told('LATE_CHANGE', '{"flight_id": "00000000-0000-0000-0000-000000000001", "expected": 250, "actual": 200, "scheduled": 120, "flown": 150}', 'paid as planned, flown longer');
select test.told('WRONG_WINNER', '{"flight_id": "00000000-0000-0000-0000-000000000001", "expected": 250, "actual": 200, "scheduled": 150, "flown": 120}', 'paid as flown, planned longer');

select test.told('WRONG_LONGEVITY', '{"other_rate": 80}', 'another step''s rate');
select test.told('PER_DIEM', '{"component": "per_diem", "other_rate": 80}', 'per diem has no steps');
select test.told('CLERICAL', '{"expected": 212.50, "actual": 122.50}', 'two digits exchanged');
select test.told('CLERICAL', '{"expected": 200, "actual": 20}', 'the point one place off');
select test.told('RIG_NOT_APPLIED', '{"clause_level": "duty", "line_level": "duty"}', 'what one clause adds is missing');
select test.told('WRONG_WINNER', '{"line_level": "trip"}', 'one line of a clause is missing');
select test.told('MONTH_BOUNDARY', '{"boundary_trip": 7, "line_level": "leg"}', 'all legs of a trip over the edge');
select test.told('LEG_NOT_PAID', '{"line_level": "leg"}', 'one leg''s amount is missing');
select test.told('WRONG_RATE', '{"paid_minutes": 120}', 'the hours are right');
select test.told('UNEXPLAINED', '{"component": "adjustment", "paid_minutes": 120}', 'an adjustment has no rate');

select * from finish();
rollback;
