-- Proposed and former terms for one transaction; what has changed since a period was computed; runs that carry results over.

create table rules.term_overlays (
  enterprise_id uuid not null references platform.enterprises (id),
  overlay_no bigint generated always as identity,
  transaction xid8 not null default pg_current_xact_id(),
  term jsonb not null,
  constraint term_overlays_pkey primary key (enterprise_id, overlay_no)
);
create index term_overlays_transaction_idx on rules.term_overlays (enterprise_id, transaction);
comment on table rules.term_overlays is
  'Terms that one transaction compiles instead of those on record (a proposal that is costed, the terms of an earlier time); that transaction removes them again, so that none is ever on record.';
comment on column rules.term_overlays.enterprise_id is 'Tenant.';
comment on column rules.term_overlays.overlay_no is 'Row key.';
comment on column rules.term_overlays.transaction is 'Transaction that reads them; no other does.';
comment on column rules.term_overlays.term is 'A row of rules.union_contract_terms.';

create table pay.dirty_marks (
  enterprise_id uuid not null,
  mark_no bigint generated always as identity,
  pay_period_id uuid not null,
  crew_member_id uuid,
  cause text not null,
  marked_in xid8 not null default pg_current_xact_id(),
  marked_at timestamptz not null default now(),
  constraint dirty_marks_pkey primary key (enterprise_id, mark_no)
);
create index dirty_marks_pay_period_id_idx on pay.dirty_marks (enterprise_id, pay_period_id);
comment on table pay.dirty_marks is
  'What changed since an open period was computed: crew members whose pay is to be computed again. Only ever added to by triggers, so that writers never wait for each other; emptied by runs.';
comment on column pay.dirty_marks.enterprise_id is 'Tenant.';
comment on column pay.dirty_marks.mark_no is 'Row key.';
comment on column pay.dirty_marks.pay_period_id is 'Open period that is touched.';
comment on column pay.dirty_marks.crew_member_id is 'Whose pay is touched; null: everybody''s.';
comment on column pay.dirty_marks.cause is 'Table that changed.';
comment on column pay.dirty_marks.marked_in is 'Transaction that changed it: a run clears the marks whose transactions its snapshot saw.';
comment on column pay.dirty_marks.marked_at is 'When.';

alter table pay.pay_runs
  add column carried_from uuid,
  add column refreshed_crew uuid[],
  add constraint pay_runs_carried_from_fkey foreign key (enterprise_id, carried_from) references pay.pay_runs (enterprise_id, id),
  add constraint pay_runs_carry_what_they_dont_compute check ((carried_from is null) = (refreshed_crew is null));
create index pay_runs_carried_from_idx on pay.pay_runs (enterprise_id, carried_from);
comment on column pay.pay_runs.carried_from is 'Run whose results stand for everybody that this one did not compute again (pay.refresh); null: it computed them all.';
comment on column pay.pay_runs.refreshed_crew is 'Crew members that it computed again, where it carried the others over.';

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array['rules.term_overlays', 'pay.dirty_marks']::regclass[] loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy owner_all on %s to crewpay_owner using (true) with check (true)', v_table);
  end loop;
end $$;
