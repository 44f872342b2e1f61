-- Lines are stored dense, as arrays of the result row; this view is how everybody reads them.
-- Give the crew member or the period; reach one leg through crew_assignments.leg_no.
-- Term number 0 is no term: the line pays the adjustment whose number is its node; a negative one brings a component, or a line of it,
-- to the amount of the override whose number is its node.

create or replace view pay.pay_lines
with (security_invoker = true, security_barrier = true) as
select
  c.enterprise_id,
  c.pay_period_id,
  c.crew_member_id,
  c.id as pay_calculation_id,
  c.run_id,
  l.line_no::integer as line_no,
  l.term_no,
  t.term_id,
  coalesce(u.term_code, case when l.term_no < 0 then 'OVERRIDE' else 'ADJUSTMENT' end)::varchar(50) as term_code,
  coalesce(u.term_title, case when l.term_no < 0 then 'Override' else 'Adjustment' end)::varchar(255) as term_title,
  coalesce(t.label, a.reason, o.reason) as label,
  case when l.term_no = 0 then 'adjustment' when l.term_no < 0 then o.component else t.component end as component,
  coalesce(t.level, 'period') as level,
  l.node,
  l.quantity,
  (l.cents * 0.01)::numeric(10, 2) as amount,
  a.id as adjustment_id,
  a.source as adjustment_source
from pay.pay_calculations as c
cross join lateral unnest(c.line_term, c.line_node, c.line_quantity, c.line_cents)
  with ordinality as l (term_no, node, quantity, cents, line_no)
left join rules.ruleset_terms as t
  on t.enterprise_id = c.enterprise_id
  and t.ruleset_id = c.ruleset_id
  and t.term_no = l.term_no
left join rules.union_contract_terms as u
  on u.enterprise_id = t.enterprise_id
  and u.id = t.term_id
left join pay.adjustments as a
  on l.term_no = 0
  and a.enterprise_id = c.enterprise_id
  and a.adjustment_no = l.node
left join pay.overrides as o
  on l.term_no < 0
  and o.enterprise_id = c.enterprise_id
  and o.override_no = l.node;

comment on view pay.pay_lines is
'Pay lines of current results: one amount of one component for one leg, duty, day, trip or span, with the term that made it, or the adjustment.';
comment on column pay.pay_lines.enterprise_id is 'Tenant.';
comment on column pay.pay_lines.pay_period_id is 'Period that pays the line.';
comment on column pay.pay_lines.crew_member_id is 'Who is paid.';
comment on column pay.pay_lines.pay_calculation_id is 'Result the line is part of.';
comment on column pay.pay_lines.run_id is 'Run that made it.';
comment on column pay.pay_lines.line_no is 'Number of the line within the result; stable, since published results are never updated.';
comment on column pay.pay_lines.term_no is 'Number of the term within the ruleset; 0 for an adjustment, negative for an override.';
comment on column pay.pay_lines.term_id is 'Contract term version; null for an adjustment.';
comment on column pay.pay_lines.term_code is 'Clause; ADJUSTMENT for an adjustment, OVERRIDE for an override.';
comment on column pay.pay_lines.term_title is 'Title of the clause.';
comment on column pay.pay_lines.label is 'What the line pays, in short; the reason of an adjustment or override.';
comment on column pay.pay_lines.component is 'Component of pay.';
comment on column pay.pay_lines.level is 'leg, duty, day, trip, period, month, quarter or year; period for an adjustment or override.';
comment on column pay.pay_lines.node is 'leg_no, duty report (minutes since 1970 UTC), day (days since 1970), trip_no, 0 for a span, adjustment_no or override_no.';
comment on column pay.pay_lines.quantity is 'Quantity, unrounded: credit minutes, minutes or counts, as the term says; of an override the amount set.';
comment on column pay.pay_lines.amount is 'Amount, to the cent.';
comment on column pay.pay_lines.adjustment_id is 'Adjustment that the line pays; null otherwise.';
comment on column pay.pay_lines.adjustment_source is 'Where that adjustment comes from.';
grant select on pay.pay_lines to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_definer;
