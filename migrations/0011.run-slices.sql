-- What the workers of a run in progress have computed, until the run is published.

create table pay.run_slices (
  enterprise_id uuid not null,
  run_id uuid not null,
  group_no integer not null,
  slice_no integer not null,
  slices integer not null,
  snapshot text not null,
  ruleset_hash text not null,
  leg_count integer not null,
  input_sum numeric not null,
  constraint run_slices_pkey primary key (enterprise_id, run_id, group_no, slice_no),
  constraint run_slices_run_fkey foreign key (enterprise_id, run_id) references pay.pay_runs (enterprise_id, id),
  constraint run_slices_are_numbered check (slice_no between 1 and slices)
);
comment on table pay.run_slices is 'Slices computed by the workers of a run in progress; empty again once the run is published.';
comment on column pay.run_slices.enterprise_id is 'Tenant.';
comment on column pay.run_slices.run_id is 'Run in progress.';
comment on column pay.run_slices.group_no is 'Number of the group of positions, as rules.position_groups() lists them.';
comment on column pay.run_slices.slice_no is 'Slice of the crew, from 1.';
comment on column pay.run_slices.slices is 'How many slices there are.';
comment on column pay.run_slices.snapshot is 'Snapshot it was read under: all slices of a run have the same.';
comment on column pay.run_slices.ruleset_hash is 'Ruleset it was computed under.';
comment on column pay.run_slices.leg_count is 'Legs read.';
comment on column pay.run_slices.input_sum is 'Sum of the hashes of the legs read.';

alter table pay.run_slices enable row level security;
alter table pay.run_slices force row level security;
create policy owner_all on pay.run_slices to crewpay_owner using (true) with check (true);

-- It takes tokens and a target now.
drop function if exists pay.compute_group(pay.pay_runs, pay.pay_periods, crew.crew_position[], uuid[]);
