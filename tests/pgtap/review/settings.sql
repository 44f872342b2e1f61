-- Settings that detection, checks and claims could not read are refused when they are written, not at night.
begin;
select plan(20);
select test.fixture();
create function test.put(p_key text, p_value text) returns integer language sql
return platform.put_config('review.' || p_key, p_value::jsonb);
create function test.refused(p_key text, p_value text) returns text language sql
return throws_ok(format('select test.put(%L, %L)', p_key, p_value), 'CP109', null, p_key || ' ' || p_value);
grant execute on function test.put(text, text), test.refused(text, text) to public;

select test.act_as('alpha_admin');
select ok(test.put('check.per_diem_error', '{"enabled": false, "min_amount": 2.50, "severity": "HIGH"}') > 0, 'a check, switched off, with its own threshold');
select ok(test.put('check.invalid_input', '{"late_hours": 48}') > 0, 'what only one check has');
select ok(test.put('detection', '{"high": 200, "due_days": {"per_diem": 10, "default": 1}}') > 0, 'thresholds and due days');
select ok(test.put('auto_fix', '{"enabled": false}') > 0, 'nothing by itself');
select ok(test.put('claims', '{"answer_days": 5, "late_penalty": {"amount": 25, "percent": 10}}') > 0, 'days and penalty');
select ok(test.put('claims', 'null') > 0, 'and back to the airline''s contract and the default');

select test.refused('check.underpayment', '{"min_amount": "lots"}');
select test.refused('check.underpayment', '{"min_amount": -1}');
select test.refused('check.underpayment', '{"min_ammount": 5}');
select test.refused('check.underpayment', '{"late_hours": 48}');
select test.refused('check.underpayment', '{"enabled": "nope"}');
select test.refused('check.underpayment', '{"severity": "AWFUL"}');
select test.refused('check.underpaiment', '{"enabled": false}');
select test.refused('check.underpayment', '7');
select test.refused('detection', '{"tolerance": "x"}');
select test.refused('detection', '{"due_days": {"lunch": 3}}');
select test.refused('detection', '{"due_days": {"per_diem": 1.5}}');
select test.refused('claims', '{"answer_days": -3}');
select test.refused('claims', '{"claim_days": 2.5}');
select test.refused('claims', '{"late_penalty": {"amount": "much"}}');

select * from finish();
rollback;
