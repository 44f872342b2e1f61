drop function if exists pay.compute(pay.pay_runs, pay.pay_periods, uuid[], jsonb, regclass, integer, integer);
