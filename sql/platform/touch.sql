-- updated_at is the database's: one trigger function for all tables that have the column.

create or replace function platform.tg_touch()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  new.updated_at := now();
  return new;
end $$;
revoke all on function platform.tg_touch() from public;
comment on function platform.tg_touch() is 'Trigger: updated_at is the time of the last change, whatever the statement says.';

create or replace trigger enterprises_80_touch
  before update on platform.enterprises
  for each row execute function platform.tg_touch();
comment on trigger enterprises_80_touch on platform.enterprises is 'Keeps updated_at.';

create or replace trigger users_80_touch
  before update on platform.users
  for each row execute function platform.tg_touch();
comment on trigger users_80_touch on platform.users is 'Keeps updated_at.';

create or replace trigger system_configs_80_touch
  before update on platform.system_configs
  for each row execute function platform.tg_touch();
comment on trigger system_configs_80_touch on platform.system_configs is 'Keeps updated_at.';

create or replace trigger crew_members_80_touch
  before update on crew.crew_members
  for each row execute function platform.tg_touch();
comment on trigger crew_members_80_touch on crew.crew_members is 'Keeps updated_at.';

create or replace trigger flights_80_touch
  before update on crew.flights
  for each row execute function platform.tg_touch();
comment on trigger flights_80_touch on crew.flights is 'Keeps updated_at.';

create or replace trigger trips_80_touch
  before update on crew.trips
  for each row execute function platform.tg_touch();
comment on trigger trips_80_touch on crew.trips is 'Keeps updated_at.';

create or replace trigger crew_assignments_80_touch
  before update on crew.crew_assignments
  for each row execute function platform.tg_touch();
comment on trigger crew_assignments_80_touch on crew.crew_assignments is 'Keeps updated_at.';

create or replace trigger crew_months_80_touch
  before update on crew.crew_months
  for each row execute function platform.tg_touch();
comment on trigger crew_months_80_touch on crew.crew_months is 'Keeps updated_at.';

create or replace trigger pay_periods_80_touch
  before update on pay.pay_periods
  for each row execute function platform.tg_touch();
comment on trigger pay_periods_80_touch on pay.pay_periods is 'Keeps updated_at.';

create or replace trigger contacts_80_touch
  before update on notify.contacts
  for each row execute function platform.tg_touch();
comment on trigger contacts_80_touch on notify.contacts is 'Keeps updated_at.';

create or replace trigger preferences_80_touch
  before update on notify.preferences
  for each row execute function platform.tg_touch();
comment on trigger preferences_80_touch on notify.preferences is 'Keeps updated_at.';
