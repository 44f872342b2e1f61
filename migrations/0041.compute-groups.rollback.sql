drop function if exists pay.compute(pay.pay_runs, pay.pay_periods, uuid[], jsonb, regclass, integer, integer, integer);
drop function if exists pay.compute_slice(uuid, integer, integer, integer);
drop function if exists pay.compute_group(
  pay.pay_runs, pay.pay_periods, crew.crew_position[], jsonb, regclass, integer, integer, integer);
drop function if exists pay.number_findings(pay.pay_runs, integer);
drop function if exists pay.slice_members(pay.pay_periods, integer, integer);
drop function if exists pay.version_findings(pay.pay_runs, pay.pay_periods, uuid[]);
drop function if exists pay.mark_later(pay.pay_runs, pay.pay_periods, uuid[]);
