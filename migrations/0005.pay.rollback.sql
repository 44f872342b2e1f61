drop table pay.payroll_payments;
drop table pay.run_findings;
drop table pay.calculation_versions;
drop table pay.pay_calculations;
drop table pay.pay_runs;
drop table pay.pay_periods;
drop function pay.cents_total(integer[]);
