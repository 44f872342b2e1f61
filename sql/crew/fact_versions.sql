-- A fact that a run may have read is never lost: its old version is kept when the row changes or goes.

create or replace function crew.tg_keep_version()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  execute format($q$
    insert into crew.fact_versions (enterprise_id, table_name, row_key, recorded_from, row_data)
    select o.enterprise_id, %1$L, coalesce(to_jsonb(o) ->> 'id', concat_ws(':', to_jsonb(o) ->> 'crew_member_id', to_jsonb(o) ->> 'month')), o.updated_at, to_jsonb(o)
    from old_rows as o
    where exists (
      select from pay.pay_runs as r
      where r.enterprise_id = o.enterprise_id and r.as_of >= o.updated_at)$q$,
    tg_table_schema || '.' || tg_table_name);
  return null;
end
$$;
comment on function crew.tg_keep_version() is
'Statement trigger after UPDATE and DELETE on facts: keeps the old rows that a run may have read, with the time they were on record.
Runs as the owner: an operator who has no principal must not lose a version either.';

create or replace trigger crew_members_80_keep_updated after update on crew.crew_members
  referencing old table as old_rows for each statement execute function crew.tg_keep_version();
comment on trigger crew_members_80_keep_updated on crew.crew_members is 'Keeps the version before an update.';
create or replace trigger crew_members_80_keep_deleted after delete on crew.crew_members
  referencing old table as old_rows for each statement execute function crew.tg_keep_version();
comment on trigger crew_members_80_keep_deleted on crew.crew_members is 'Keeps a deleted row.';
create or replace trigger flights_80_keep_updated after update on crew.flights
  referencing old table as old_rows for each statement execute function crew.tg_keep_version();
comment on trigger flights_80_keep_updated on crew.flights is 'Keeps the version before an update.';
create or replace trigger flights_80_keep_deleted after delete on crew.flights
  referencing old table as old_rows for each statement execute function crew.tg_keep_version();
comment on trigger flights_80_keep_deleted on crew.flights is 'Keeps a deleted row.';
create or replace trigger trips_80_keep_updated after update on crew.trips
  referencing old table as old_rows for each statement execute function crew.tg_keep_version();
comment on trigger trips_80_keep_updated on crew.trips is 'Keeps the version before an update.';
create or replace trigger trips_80_keep_deleted after delete on crew.trips
  referencing old table as old_rows for each statement execute function crew.tg_keep_version();
comment on trigger trips_80_keep_deleted on crew.trips is 'Keeps a deleted row.';
create or replace trigger crew_assignments_80_keep_updated after update on crew.crew_assignments
  referencing old table as old_rows for each statement execute function crew.tg_keep_version();
comment on trigger crew_assignments_80_keep_updated on crew.crew_assignments is 'Keeps the version before an update.';
create or replace trigger crew_assignments_80_keep_deleted after delete on crew.crew_assignments
  referencing old table as old_rows for each statement execute function crew.tg_keep_version();
comment on trigger crew_assignments_80_keep_deleted on crew.crew_assignments is 'Keeps a deleted row.';
create or replace trigger crew_months_80_keep_updated after update on crew.crew_months
  referencing old table as old_rows for each statement execute function crew.tg_keep_version();
comment on trigger crew_months_80_keep_updated on crew.crew_months is 'Keeps the version before an update.';
create or replace trigger crew_months_80_keep_deleted after delete on crew.crew_months
  referencing old table as old_rows for each statement execute function crew.tg_keep_version();
comment on trigger crew_months_80_keep_deleted on crew.crew_months is 'Keeps a deleted row.';
