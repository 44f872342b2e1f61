delete from rules.facts where level in ('period', 'quarter', 'year');
alter table rules.facts drop constraint facts_level_is_known;
alter table rules.facts add constraint facts_level_is_known check (level in ('crew', 'leg', 'duty', 'day', 'trip', 'month'));
alter table crew.crew_months drop constraint crew_months_days_are_in_range;
alter table crew.crew_months add constraint crew_months_days_are_in_range
  check (work_days between 0 and 31 and unpaid_days between 0 and 31);
alter table crew.crew_months add constraint crew_months_start_on_the_first check (extract(day from month) = 1);
alter table pay.pay_periods add constraint pay_periods_month_starts_on_the_first check (extract(day from contract_month) = 1);
alter table pay.pay_periods add constraint pay_periods_lie_inside_their_month check (
  start_date >= contract_month and end_date < (contract_month + interval '1 month')::date);
drop table crew.contract_months;
