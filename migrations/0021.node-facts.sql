-- What formulas at leg, duty, day and trip read beside the catalogue as it was: days awarded off, facts that an airline declares
-- itself, sums of what is measured above the leg; and positions flown found without reading every leg.

alter table rules.facts drop constraint facts_sums_are_of_legs;
alter table rules.facts add constraint facts_sums_are_numbers
  check (not sums_upward or (level in ('leg', 'duty', 'day', 'trip') and value_type in ('int', 'numeric')));
comment on column rules.facts.sums_upward is 'Whether every level above has it as a sum under the same name.';

alter table crew.crew_months add column days_off date[] not null default '{}';
comment on column crew.crew_months.days_off is 'Days awarded off; a leg flown on one of them may pay a premium.';

create index crew_assignments_position_flown_idx
  on crew.crew_assignments (enterprise_id, duty_start_time) where position_flown is not null;

create table rules.declared_facts (
  enterprise_id uuid not null references platform.enterprises (id),
  level text not null,
  name text not null,
  value_type text not null,
  unit text not null default 'none',
  source text not null,
  path text[] not null,
  description text not null,
  recorded_at timestamptz not null default now(),
  constraint declared_facts_pkey primary key (enterprise_id, level, name),
  constraint declared_facts_level_is_known check (level in ('leg', 'trip', 'month', 'crew')),
  constraint declared_facts_name_is_plain check (name ~ '^[a-z][a-z0-9_]{0,39}$'),
  constraint declared_facts_value_type_is_known check (value_type in ('int', 'numeric', 'text', 'bool')),
  constraint declared_facts_unit_is_known check (unit in ('min', 'money', 'none')),
  constraint declared_facts_unit_is_of_a_number check (unit = 'none' or value_type in ('int', 'numeric')),
  constraint declared_facts_source_belongs_to_level check (
    (level, source) in (('leg', 'flights'), ('leg', 'crew_assignments'), ('trip', 'trips'), ('month', 'crew_months'), ('crew', 'crew_members'))),
  constraint declared_facts_have_a_plain_path check (cardinality(path) > 0 and array_to_string(path, '', '@') ~ '^[A-Za-z0-9_ -]+$')
);
comment on table rules.declared_facts is 'Facts that an airline declares itself: named, typed values in the attributes of its flights, legs, trips, months or crew members.';
comment on column rules.declared_facts.enterprise_id is 'Tenant.';
comment on column rules.declared_facts.level is 'Level the fact belongs to: leg, trip, month or crew.';
comment on column rules.declared_facts.name is 'Name used in formulas; none of rules.facts.';
comment on column rules.declared_facts.value_type is 'int, numeric, text or bool. A value of another type counts as missing.';
comment on column rules.declared_facts.unit is 'min (minutes), money, or none.';
comment on column rules.declared_facts.source is 'Table whose attributes hold it: flights or crew_assignments, trips, crew_months, crew_members.';
comment on column rules.declared_facts.path is 'Keys that lead to the value.';
comment on column rules.declared_facts.description is 'What it means.';
comment on column rules.declared_facts.recorded_at is 'When it was declared.';

alter table rules.declared_facts enable row level security;
alter table rules.declared_facts force row level security;
create policy owner_all on rules.declared_facts to crewpay_owner using (true) with check (true);

-- The compiler's own functions are made anew from sql/, some with other arguments.
do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select p.oid::regprocedure
    from pg_catalog.pg_proc as p
    where p.pronamespace = 'rules'::regnamespace
      and p.proname = any (array[
        'leg_column', 'node_columns', 'own_base', 'plan_days', 'leg_source', 'flight_source', 'reads_airports', 'apply_window',
        'compile_quantity', 'rate_sql', 'too_many_rates', 'price_sql', 'cents_sql', 'refuse_unsupported', 'refuse_malformed',
        'refuse_conflicts', 'exclude_winners', 'compile_variable', 'rate_steps', 'plan_people', 'plan_credit', 'plan_findings',
        'plan_held', 'held_columns', 'leg_history', 'node_pay_lines', 'measure_layers'])
  loop
    execute format('drop function %s', v_function);
  end loop;
end $$;
