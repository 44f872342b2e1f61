-- Manual overrides: an amount that a person sets in place of what was computed, which stays beside it.

create type pay.override_state as enum ('PROPOSED', 'APPROVED', 'DENIED', 'WITHDRAWN', 'RESET');
comment on type pay.override_state is 'PROPOSED → APPROVED, by a second person where it is needed; DENIED, WITHDRAWN; RESET: what is computed counts again.';

create table pay.overrides (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  override_no bigint generated always as identity,
  crew_member_id uuid not null,
  pay_period_id uuid not null,
  component pay.component not null,
  term_code varchar(50),
  level text,
  node bigint,
  amount numeric(10, 2) not null,
  original_amount numeric(10, 2) not null,
  reason text not null,
  state pay.override_state not null,
  requested_by varchar(100) not null,
  requested_by_person uuid not null,
  requested_at timestamptz not null default now(),
  approved_by varchar(100),
  approved_by_person uuid,
  approved_at timestamptz,
  reset_by varchar(100),
  reset_at timestamptz,
  constraint overrides_pkey primary key (enterprise_id, id),
  constraint overrides_override_no_key unique (enterprise_id, override_no),
  constraint overrides_crew_member_fkey foreign key (enterprise_id, crew_member_id) references crew.crew_members (enterprise_id, id),
  constraint overrides_pay_period_fkey foreign key (enterprise_id, pay_period_id) references pay.pay_periods (enterprise_id, id),
  constraint overrides_of_computed_pay check (component <> 'adjustment'),
  constraint overrides_of_a_component_or_a_line check (num_nonnulls(term_code, level, node) in (0, 3)),
  constraint overrides_have_a_reason check (reason <> ''),
  constraint overrides_approved_by_another_person check (approved_by_person <> requested_by_person and approved_by <> requested_by),
  constraint overrides_in_force_are_approved check ((approved_at is not null) = (state in ('APPROVED', 'RESET'))),
  constraint overrides_reset_by_someone check ((reset_at is not null) = (state = 'RESET') and (reset_by is null) = (reset_at is null))
);
create unique index overrides_in_force_key on pay.overrides (enterprise_id, pay_period_id, crew_member_id, component, term_code, level, node)
  nulls not distinct where state in ('PROPOSED', 'APPROVED');
create index overrides_crew_member_id_idx on pay.overrides (enterprise_id, crew_member_id);
create index overrides_pay_period_id_idx on pay.overrides (enterprise_id, pay_period_id, crew_member_id);
comment on table pay.overrides is 'Amounts of a component, or of one line, that a person has set in place of what was computed.';
comment on column pay.overrides.enterprise_id is 'Tenant.';
comment on column pay.overrides.id is 'Override.';
comment on column pay.overrides.override_no is 'Short number that pay lines cite (line_node of a negative term number).';
comment on column pay.overrides.crew_member_id is 'Whose pay.';
comment on column pay.overrides.pay_period_id is 'Of which period.';
comment on column pay.overrides.component is 'Component that is set, or that the line is of.';
comment on column pay.overrides.term_code is 'Clause of the line; null: the whole component.';
comment on column pay.overrides.level is 'Level of the line; null: the whole component.';
comment on column pay.overrides.node is 'Node of the line; null: the whole component.';
comment on column pay.overrides.amount is 'What is paid instead.';
comment on column pay.overrides.original_amount is 'What was computed when it was asked for; later runs may compute another amount.';
comment on column pay.overrides.reason is 'Why, as the statement says it.';
comment on column pay.overrides.state is 'Where it stands; APPROVED ones are in force in every run of the period.';
comment on column pay.overrides.requested_by is 'Login that asked.';
comment on column pay.overrides.requested_by_person is 'Person who asked.';
comment on column pay.overrides.requested_at is 'When.';
comment on column pay.overrides.approved_by is 'Login of the second person; null where none was needed.';
comment on column pay.overrides.approved_by_person is 'The second person; never who asked.';
comment on column pay.overrides.approved_at is 'Since when it is in force.';
comment on column pay.overrides.reset_by is 'Login that took it back.';
comment on column pay.overrides.reset_at is 'When.';

alter table pay.overrides enable row level security;
alter table pay.overrides force row level security;
create policy owner_all on pay.overrides to crewpay_owner using (true) with check (true);

-- A fact that comes late changes what is computed, not what was set: back pay says that the override took it up.
alter table pay.retro_items drop constraint retro_items_cause_is_known;
alter table pay.retro_items add constraint retro_items_cause_is_known
  check (cause in ('fact', 'rate', 'term', 'rule graph', 'override', 'engine'));
