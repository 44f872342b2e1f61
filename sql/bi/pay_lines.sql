-- Lines for BI tools: what makes up the pay, with the clause.

create or replace view bi.pay_lines
with (security_invoker = true, security_barrier = true)
as
select
  l.enterprise_id,
  l.crew_member_id,
  l.pay_period_id,
  l.line_no,
  e.currency,
  l.component,
  l.level,
  l.term_code,
  l.term_title,
  l.label,
  l.quantity,
  l.amount
from pay.pay_lines l
join platform.enterprises e on e.id = l.enterprise_id;
comment on view bi.pay_lines is 'Lines of current pay; key: enterprise_id, crew_member_id, pay_period_id, line_no.';
comment on column bi.pay_lines.enterprise_id is 'Tenant.';
comment on column bi.pay_lines.crew_member_id is 'Crew member.';
comment on column bi.pay_lines.pay_period_id is 'Pay period.';
comment on column bi.pay_lines.line_no is 'Number of the line within the result.';
comment on column bi.pay_lines.currency is 'Currency of the money in this row.';
comment on column bi.pay_lines.component is 'Component of pay.';
comment on column bi.pay_lines.level is 'leg, duty, day, trip or month.';
comment on column bi.pay_lines.term_code is 'Clause.';
comment on column bi.pay_lines.term_title is 'Title of the clause.';
comment on column bi.pay_lines.label is 'What the line pays, in short.';
comment on column bi.pay_lines.quantity is 'Quantity: credit minutes, minutes or counts, as the term says.';
comment on column bi.pay_lines.amount is 'Amount, to the cent.';
grant select on bi.pay_lines to crewpay_bi, crewpay_admin, crewpay_payroll;
