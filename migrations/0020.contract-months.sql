-- Contract months that aren't calendar months (bid months, months of four weeks), and spans other than the month.

create table crew.contract_months (
  enterprise_id uuid not null references platform.enterprises (id),
  month date not null,
  last_day date not null,
  quarter date not null,
  year date not null,
  created_at timestamptz not null default now(),
  constraint contract_months_pkey primary key (enterprise_id, month),
  constraint contract_months_have_a_length check (last_day - month between 13 and 61),
  constraint contract_months_lie_in_their_quarter check (quarter <= month and year <= quarter),
  constraint contract_months_do_not_overlap exclude using gist
    (enterprise_id with =, daterange(month, last_day, '[]') with &&)
);
comment on table crew.contract_months is 'Contract months that aren''t calendar months; a day that none of them holds is in its calendar month.';
comment on column crew.contract_months.enterprise_id is 'Tenant.';
comment on column crew.contract_months.month is 'First day; pay_periods.contract_month and crew_months.month are this day.';
comment on column crew.contract_months.last_day is 'Last day, inclusive.';
comment on column crew.contract_months.quarter is 'First day of the contract quarter that it belongs to.';
comment on column crew.contract_months.year is 'First day of the contract year that it belongs to.';
comment on column crew.contract_months.created_at is 'When the row was made.';

alter table crew.contract_months enable row level security;
alter table crew.contract_months force row level security;
create policy owner_all on crew.contract_months to crewpay_owner using (true) with check (true);

-- A period lies inside its contract month, whichever days that has: a trigger sees to it.
alter table pay.pay_periods drop constraint pay_periods_month_starts_on_the_first;
alter table pay.pay_periods drop constraint pay_periods_lie_inside_their_month;
alter table crew.crew_months drop constraint crew_months_start_on_the_first;
alter table crew.crew_months drop constraint crew_months_days_are_in_range;
alter table crew.crew_months add constraint crew_months_days_are_in_range
  check (work_days between 0 and 62 and unpaid_days between 0 and 62);

-- Facts of every span.
alter table rules.facts drop constraint facts_level_is_known;
alter table rules.facts add constraint facts_level_is_known
  check (level in ('crew', 'leg', 'duty', 'day', 'trip', 'period', 'month', 'quarter', 'year'));

-- Spans other than the month, and settings that sources read.
drop function if exists rules.plan_months(rules.compiled_term[], jsonb, jsonb);
drop function if exists rules.month_more_sql(rules.compiled_term[], boolean);
drop function if exists rules.plan_people(crew.crew_position[], jsonb);
drop function if exists rules.plan_zones(boolean);
drop function if exists rules.flight_source(boolean);
drop function if exists rules.price_sql(rules.compiled_term, text, text);
