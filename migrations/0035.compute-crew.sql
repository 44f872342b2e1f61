-- The function has another argument now: which crew members are asked for.

drop function if exists pay.compute(pay.pay_runs, pay.pay_periods, jsonb, regclass, integer, integer);
