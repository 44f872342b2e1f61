-- Identity of pooled applications: logins of connection pools, keys, revoked tokens, and what happened to tokens.

create table auth.pools (
  login name not null,
  role auth.app_role not null,
  active boolean not null default true,
  created_at timestamptz not null default now(),
  constraint pools_pkey primary key (login),
  constraint pools_role_may_be_pooled check (role in ('crew', 'admin', 'payroll', 'service_role')),
  constraint pools_login_stands_in_tokens check (login ~ '^[^|]+$')
);
comment on table auth.pools is 'Logins of connection pools, one per role: nobody by themselves, somebody only by a token (auth.login).';
comment on column auth.pools.login is 'Database login of the pool (session_user).';
comment on column auth.pools.role is 'The only role that tokens for this pool may carry.';
comment on column auth.pools.active is 'False: its tokens are refused.';
comment on column auth.pools.created_at is 'When the row was made.';

create table auth.signing_keys (
  kid text not null default encode(ext.gen_random_bytes(8), 'hex'),
  secret bytea default ext.gen_random_bytes(32),
  state text not null default 'active',
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  constraint signing_keys_pkey primary key (kid),
  constraint signing_keys_kid_is_hex check (kid ~ '^[0-9a-f]{16}$'),
  constraint signing_keys_state_is_known check (state in ('active', 'retiring', 'revoked')),
  constraint signing_keys_revoked_are_erased check ((state = 'revoked') = (secret is null)),
  constraint signing_keys_secret_is_long check (octet_length(secret) >= 32)
);
create unique index signing_keys_state_key on auth.signing_keys (state) where state <> 'revoked';
comment on table auth.signing_keys is 'Keys that sign tokens: the active one signs, the retiring one is still accepted. No login may read it.';
comment on column auth.signing_keys.kid is 'Number of the key, as tokens carry it.';
comment on column auth.signing_keys.secret is 'The key; null once revoked.';
comment on column auth.signing_keys.state is 'active: signs and is accepted; retiring: accepted; revoked: erased.';
comment on column auth.signing_keys.created_at is 'When it was made.';
comment on column auth.signing_keys.changed_at is 'When its state last changed.';

create table auth.context_keys (
  id boolean not null default true,
  secret bytea not null default ext.gen_random_bytes(32),
  created_at timestamptz not null default now(),
  constraint context_keys_pkey primary key (id),
  constraint context_keys_is_one_row check (id),
  constraint context_keys_secret_is_long check (octet_length(secret) >= 32)
);
comment on table auth.context_keys is 'The key (one row) that binds a verified token to its transaction; it never leaves the database. No login may read it.';
comment on column auth.context_keys.id is 'Always true.';
comment on column auth.context_keys.secret is 'The key.';
comment on column auth.context_keys.created_at is 'When it was made.';

create table auth.revoked_tokens (
  jti uuid not null,
  until timestamptz not null,
  constraint revoked_tokens_pkey primary key (jti)
);
comment on table auth.revoked_tokens is 'Tokens that are refused though they have not expired.';
comment on column auth.revoked_tokens.jti is 'Number of the token.';
comment on column auth.revoked_tokens.until is 'When the longest-lived token has expired anyway: the row may go then.';

create table auth.token_events (
  id bigint generated always as identity,
  happened_at timestamptz not null default now(),
  event text not null,
  login name not null default session_user,
  reason text,
  refusal_no bigint,
  repeated bigint not null default 1,
  constraint token_events_pkey primary key (id),
  constraint token_events_refusal_no_key unique (refusal_no),
  constraint token_events_event_is_known check (event in ('refused', 'revoked', 'rotated', 'pool')),
  constraint token_events_refusals_are_numbered check ((event = 'refused') = (refusal_no is not null))
);
create index token_events_happened_at_idx on auth.token_events (happened_at);
comment on table auth.token_events is 'Refused logins, revoked tokens, rotated keys, pools made. Refusals get here by auth.collect_refusals().';
comment on column auth.token_events.id is 'Row key.';
comment on column auth.token_events.happened_at is 'When it happened; to the second for refusals.';
comment on column auth.token_events.event is 'refused, revoked, rotated or pool.';
comment on column auth.token_events.login is 'Database login that tried or did it.';
comment on column auth.token_events.reason is 'Why it was refused; the token, key or pool otherwise.';
comment on column auth.token_events.refusal_no is 'Number of the refusal since the database was made.';
comment on column auth.token_events.repeated is 'How many refusals the row stands for: more than one when more came than the ring holds.';

-- A refused login aborts its transaction, and every row written in it is gone. Sequences are outside of transactions: one
-- counts refusals, and a ring of 32 holds the last ones (reason, time and login packed into its value).
create sequence auth.refusals;
comment on sequence auth.refusals is 'How many logins were refused; survives their rollback.';
do $$
begin
  for slot in 0..31 loop
    execute format('create sequence auth.refusal_%s', slot);
    execute format('comment on sequence auth.refusal_%s is %L', slot, 'One of the last 32 refused logins; survives its rollback.');
  end loop;
end $$;

do $$
declare
  v_table regclass;
begin
  foreach v_table in array array[
    'auth.pools',
    'auth.signing_keys',
    'auth.context_keys',
    'auth.revoked_tokens',
    'auth.token_events']::regclass[]
  loop
    execute format('alter table %s enable row level security', v_table);
    execute format('alter table %s force row level security', v_table);
    execute format('create policy owner_all on %s to crewpay_owner using (true) with check (true)', v_table);
  end loop;
end $$;
