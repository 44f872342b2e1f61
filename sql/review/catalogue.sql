-- The catalogue of checks. Each is one file in checks/, one function review.check_ID.

insert into review.checks (id, discrepancy_type, title, why, severity, auto_fixable, settings)
values
  ('duplicate_payment', 'DUPLICATE_PAYMENT', 'The same thing was paid twice', 'It has to be taken back, the sooner the easier.', 'MEDIUM', false, '{}'),
  ('guarantee_shortfall', 'GUARANTEE_SHORTFALL', 'Less than the guarantee was paid', 'The guarantee is what people live on in a thin month.', 'HIGH', true, '{}'),
  ('invalid_input', 'INVALID_INPUT', 'An input is missing or impossible', 'What can''t be evaluated is not paid.', 'MEDIUM', false,
    '{"late_hours": 24, "max_block_hours": 20}'),
  ('missing_flight', 'MISSING_FLIGHT', 'A leg was flown and not paid, or paid and not flown', 'Work without pay, or pay without work.', 'MEDIUM', true, '{}'),
  ('missing_premium', 'MISSING_PREMIUM', 'A premium or delay pay that is due is not there', 'Premiums hang on flags that people forget to set.', 'MEDIUM', true, '{}'),
  ('overpayment', 'OVERPAYMENT', 'More is recorded or paid than expected', 'Taking money back late costs trust, and often can''t be done at all.', 'LOW', true, '{}'),
  ('per_diem_error', 'PER_DIEM_ERROR', 'Per diem is wrong', 'Time away and rate are often kept by another system.', 'MEDIUM', true, '{}'),
  ('rate_mismatch', 'RATE_MISMATCH', 'The hours are right, the rate is not', 'A wrong year of service goes on being wrong every month.', 'MEDIUM', true, '{}'),
  ('rule_parity', 'RULE_PARITY', 'A clause is cited that is not in force, or only the graph knows it', 'Nobody can defend pay that rests on a clause which is not there.', 'HIGH', false, '{}'),
  ('stale_calculation', 'STALE_CALCULATION', 'Facts have changed since the result was computed', 'What is shown is not what is owed.', 'LOW', true, '{}'),
  ('underpayment', 'UNDERPAYMENT', 'Less is recorded or paid than expected', 'It is owed.', 'LOW', true, '{}')
on conflict (id) do update
  set discrepancy_type = excluded.discrepancy_type,
      title = excluded.title,
      why = excluded.why,
      severity = excluded.severity,
      auto_fixable = excluded.auto_fixable,
      settings = excluded.settings;
