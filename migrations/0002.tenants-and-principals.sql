-- The tenant and who may act in it. Source: LayoverHQ guide, "Core Business Tables" and "Admin Configuration Tables".

create table platform.enterprises (
  id uuid primary key default gen_random_uuid(),
  name varchar(255) not null,
  slug varchar(100) not null,
  subscription_plan varchar(50) not null default 'standard',
  currency char(3) not null default 'USD',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint enterprises_slug_key unique (slug),
  constraint enterprises_slug_is_a_name check (slug ~ '^[a-z][a-z0-9-]*$'),
  constraint enterprises_currency_is_iso_4217 check (currency ~ '^[A-Z]{3}$')
);
comment on table platform.enterprises is 'Tenants: one row per airline.';
comment on column platform.enterprises.id is 'Tenant key; first column of every tenant table.';
comment on column platform.enterprises.name is 'Name of the airline.';
comment on column platform.enterprises.slug is 'Short name used by the command line and in logins.';
comment on column platform.enterprises.subscription_plan is 'Plan the tenant is on.';
comment on column platform.enterprises.currency is 'ISO 4217 code of all the tenant''s money.';
comment on column platform.enterprises.created_at is 'When the row was made.';
comment on column platform.enterprises.updated_at is 'When the row last changed.';
comment on column platform.enterprises.deleted_at is 'When the tenant left; null while active.';

create table platform.users (
  enterprise_id uuid not null references platform.enterprises (id),
  id uuid not null default gen_random_uuid(),
  email varchar(255) not null,
  full_name varchar(200),
  person_id uuid not null default gen_random_uuid(),
  subscription_tier varchar(50) not null default 'free',
  api_limits jsonb not null default '{}',
  preferences jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint users_pkey primary key (enterprise_id, id),
  constraint users_email_key unique (enterprise_id, email)
);
create index idx_users_enterprise_active on platform.users (enterprise_id, subscription_tier) where deleted_at is null;
comment on table platform.users is 'People of a tenant who are not (only) crew: administrators, payroll clerks, analysts.';
comment on column platform.users.enterprise_id is 'Tenant.';
comment on column platform.users.id is 'User; auth.uid() of a principal without crew member.';
comment on column platform.users.email is 'E-mail address, unique in the tenant.';
comment on column platform.users.full_name is 'Name for people.';
comment on column platform.users.person_id is 'The human being; shared with crew_members.person_id when a pilot also works in payroll.';
comment on column platform.users.subscription_tier is 'Tier of service.';
comment on column platform.users.api_limits is 'Limits of the programming interface for this user.';
comment on column platform.users.preferences is 'Preferences of the user.';
comment on column platform.users.created_at is 'When the row was made.';
comment on column platform.users.updated_at is 'When the row last changed.';
comment on column platform.users.deleted_at is 'When the user left; null while active.';

create table platform.system_configs (
  id uuid primary key default gen_random_uuid(),
  key varchar(255) not null,
  value jsonb not null,
  value_type varchar(50) not null,
  description text,
  category varchar(100) not null,
  requires_restart boolean not null default false,
  tenant_id uuid references platform.enterprises (id),
  is_active boolean not null default true,
  version integer not null default 1,
  created_by uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint system_configs_value_type_is_known check (value_type in ('string', 'number', 'boolean', 'json', 'array')),
  constraint system_configs_created_by_fkey foreign key (tenant_id, created_by) references platform.users (enterprise_id, id)
);
-- NULLS NOT DISTINCT instead of the document's zero UUID, which was both "global" and a possible tenant.
create unique index idx_system_configs_key_tenant_active
  on platform.system_configs (key, tenant_id) nulls not distinct
  where is_active;
create index system_configs_tenant_id_created_by_idx on platform.system_configs (tenant_id, created_by);
comment on table platform.system_configs is 'Settings, global (tenant_id null) or of one tenant; one active row per key and tenant.';
comment on column platform.system_configs.id is 'Row key.';
comment on column platform.system_configs.key is 'Name of the setting, dotted.';
comment on column platform.system_configs.value is 'Value, as JSON of the declared type.';
comment on column platform.system_configs.value_type is 'string, number, boolean, json or array.';
comment on column platform.system_configs.description is 'What the setting does.';
comment on column platform.system_configs.category is 'runtime, business, security, …';
comment on column platform.system_configs.requires_restart is 'Whether a running daemon must restart to see it.';
comment on column platform.system_configs.tenant_id is 'The enterprise whose setting it is; null: global default.';
comment on column platform.system_configs.is_active is 'Only active rows count.';
comment on column platform.system_configs.version is 'Grows with every change of the value.';
comment on column platform.system_configs.created_by is 'User who made it.';
comment on column platform.system_configs.created_at is 'When the row was made.';
comment on column platform.system_configs.updated_at is 'When the row last changed.';

create table auth.principals (
  login name not null,
  enterprise_id uuid not null references platform.enterprises (id),
  role auth.app_role not null,
  person_id uuid,
  crew_member_id uuid,
  user_id uuid,
  active boolean not null default true,
  created_at timestamptz not null default now(),
  constraint principals_pkey primary key (login, enterprise_id),
  constraint principals_crew_have_a_crew_member check (role <> 'crew' or crew_member_id is not null),
  constraint principals_are_person_or_service check (num_nonnulls(crew_member_id, user_id) <= 1),
  constraint principals_user_fkey foreign key (enterprise_id, user_id) references platform.users (enterprise_id, id)
);
create index principals_enterprise_id_user_id_idx on auth.principals (enterprise_id, user_id);
create index principals_enterprise_id_crew_member_id_idx on auth.principals (enterprise_id, crew_member_id);
comment on table auth.principals is 'Which database login acts for whom: one login, one role, one person or service; a row per enterprise it belongs to.';
comment on column auth.principals.login is 'Database login (session_user).';
comment on column auth.principals.enterprise_id is 'Tenant the login belongs to.';
comment on column auth.principals.role is 'Role in that tenant.';
comment on column auth.principals.person_id is 'The human being behind it; null for services.';
comment on column auth.principals.crew_member_id is 'Crew member, for crew.';
comment on column auth.principals.user_id is 'User, for everybody else who is a person.';
comment on column auth.principals.active is 'False: the login sees nothing.';
comment on column auth.principals.created_at is 'When the row was made.';

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array[
    'platform.enterprises',
    'platform.users',
    'platform.system_configs',
    'auth.principals']::regclass[]
  loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy owner_all on %s to crewpay_owner using (true) with check (true)', v_table);
  end loop;
end $$;
