-- Four eyes. Who runs, edits or asks can't approve; persons are compared, not logins, and an approval covers a hash of
-- exactly what was approved.
--
--   PENDING ──approved──▶ APPROVED ──its period is reopened──▶ SUPERSEDED
--      ├─────denied─────▶ DENIED
--      └────withdrawn───▶ WITHDRAWN   (by who asked)
--
-- Administrators approve; a payroll clerk does while an administrator's delegation lasts (pay.delegations).

-- The reason of a function's argument reaches the audit trail as the session's own would.
create or replace function pay.because(p_reason text)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_before text := coalesce(current_setting('app.reason', true), '');
begin
  if coalesce(btrim(p_reason), '') <> '' then
    perform set_config('app.reason', p_reason, true);
  end if;
  return v_before;
end
$$;
comment on function pay.because(text) is
'Makes a reason the one that the audit trail records; returns the one before, to be put back with set_config().
p_reason: the reason; null or empty leaves the session''s own.';

create or replace function pay.require_reason(p_reason text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if coalesce(btrim(p_reason), '') = '' then
    raise exception using
      errcode = 'CP318',
      message = 'a reason is needed',
      hint = 'Say why, in words that an auditor will understand.';
  end if;
  return btrim(p_reason);
end
$$;
comment on function pay.require_reason(text) is 'The reason, trimmed.
p_reason: as given. Raises CP318 when there is none.';

-- Who asks is a person: nobody could be told apart from a service.
create or replace function pay.require_person()
returns uuid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_person uuid := auth.person();
begin
  perform auth.require_role('admin', 'payroll');
  if v_person is null then
    raise exception using
      errcode = 'CP310',
      message = 'this needs a person',
      detail = format('Login %s stands for none.', audit.actor()),
      hint = 'Log in as yourself; an operator gives a login its person (auth.create_principal).';
  end if;
  return v_person;
end
$$;
comment on function pay.require_person() is
'The person of an administrator or payroll clerk who is asking.
Raises 42501 for other roles, CP310 when the login has no person.';

create or replace function pay.require_approver(
  p_barred uuid[], p_barred_logins text[], out person uuid, out on_behalf_of uuid)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_enterprise uuid := auth.enterprise_id();
begin
  person := pay.require_person();
  if person = any (array_remove(p_barred, null)) or audit.actor() = any (array_remove(p_barred_logins, null)) then
    raise exception using
      errcode = 'CP310',
      message = 'another person has to decide this',
      detail = format('Login %s belongs to somebody who ran, edited or asked for it.', audit.actor()),
      hint = 'Ask an administrator who had no part in it, or somebody to whom one has delegated (pay.delegate).';
  end if;
  if auth.role() = 'admin' then
    return;
  end if;

  select d.from_person into on_behalf_of
  from pay.delegations as d
  where d.enterprise_id = v_enterprise
    and d.to_person = person
    and d.revoked_at is null
    and d.until > clock_timestamp()
    and d.from_person <> all (array_remove(p_barred, null))
    and exists (
      select from auth.persons() as p
      where p.actor = d.from_login and p.person_id = d.from_person and p.role = 'admin')
  order by d.until desc
  limit 1;
  if on_behalf_of is not null then
    return;
  end if;
  if exists (
    select from pay.delegations as d
    where d.enterprise_id = v_enterprise and d.to_person = person and (d.until <= clock_timestamp() or d.revoked_at is not null)) then
    raise exception using
      errcode = 'CP317',
      message = 'your delegation has ended',
      detail = format('Login %s.', audit.actor()),
      hint = 'Ask an administrator for a new one (pay.delegate), or to decide himself.';
  elsif exists (select from pay.delegations as d where d.enterprise_id = v_enterprise and d.to_person = person) then
    raise exception using
      errcode = 'CP310',
      message = 'another person has to decide this',
      detail = 'Who delegated to you had a part in it, or is no administrator any more.',
      hint = 'Ask another administrator.';
  end if;
  raise exception using
    errcode = '42501',
    message = 'only administrators approve',
    detail = format('Login %s is a payroll clerk without delegation.', audit.actor()),
    hint = 'An administrator may delegate for a time: select pay.delegate(…).';
end
$$;
comment on function pay.require_approver(uuid[], text[]) is
'The person who decides: an administrator, or a payroll clerk to whom one has delegated (who had no part in it either).
p_barred: persons who can''t; p_barred_logins: logins of services or of people without a person on record.
Raises 42501, CP310 (had a part in it, or no person), CP317 (delegation ended).';

-- Asks for a second person.
create or replace function pay.request_approval(p_kind pay.approval_subject, p_subject uuid, p_hash text, p_reason text)
returns pay.approvals
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_approval pay.approvals;
begin
  insert into pay.approvals (enterprise_id, subject_kind, subject_id, payload_hash, requested_by, requested_by_person, reason)
  values (
    auth.enterprise_id(), p_kind, p_subject, p_hash, audit.actor(),
    case when auth.role() in ('service_role', 'jobs') then auth.person() else pay.require_person() end, pay.require_reason(p_reason))
  on conflict do nothing
  returning * into v_approval;
  if v_approval.id is null then
    raise exception using
      errcode = 'CP314',
      message = 'this was asked for already and waits for a decision',
      detail = format('%s %s', p_kind, p_subject),
      hint = 'Have it decided, or withdraw it (pay.deny_approval), then ask again.';
  end if;
  return v_approval;
end
$$;
comment on function pay.request_approval(pay.approval_subject, uuid, text, text) is
'Asks that a second person decide; services may ask, for what their own functions let them.
p_kind, p_subject: about what; p_hash: of exactly what is to be approved; p_reason: why.
Raises 42501, CP310 (no person), CP314 (asked already), CP318 (no reason).';

-- The second person's yes.
create or replace function pay.approve_pending(p_kind pay.approval_subject, p_subject uuid, p_hash text, p_reason text)
returns pay.approvals
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_approval pay.approvals;
  v_approver record;
begin
  perform auth.require_role('admin', 'payroll');
  select a.* into v_approval
  from pay.approvals as a
  where a.enterprise_id = auth.enterprise_id() and a.subject_kind = p_kind and a.subject_id = p_subject and a.state = 'PENDING'
  for update;
  if v_approval.id is null then
    raise exception using
      errcode = 'CP311',
      message = 'there is nothing to approve',
      detail = format('%s %s', p_kind, p_subject),
      hint = 'List what waits: select * from pay.approvals where state = ''PENDING''.';
  end if;
  v_approver := pay.require_approver(array[v_approval.requested_by_person], array[v_approval.requested_by::text]);
  if v_approval.payload_hash <> p_hash then
    raise exception using
      errcode = 'CP313',
      message = 'it has changed since it was asked for',
      detail = format('%s %s', p_kind, p_subject),
      hint = 'Deny it (pay.deny_approval), and have it asked for again as it is now.';
  end if;
  update pay.approvals as a
  set state = 'APPROVED', decision = 'APPROVED', decided_by = audit.actor(), decided_by_person = v_approver.person,
    on_behalf_of_person = v_approver.on_behalf_of, decided_at = now(), decision_reason = nullif(btrim(p_reason), '')
  where a.enterprise_id = v_approval.enterprise_id and a.id = v_approval.id
  returning a.* into v_approval;
  return v_approval;
end
$$;
comment on function pay.approve_pending(pay.approval_subject, uuid, text, text) is
'Approves what was asked for.
p_kind, p_subject: about what; p_hash: of it as it is now; p_reason: why, or null.
Raises 42501, CP310, CP311 (nothing waits), CP313 (changed), CP317.';

create or replace function pay.deny_approval(p_approval uuid, p_reason text)
returns pay.approvals
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_approval pay.approvals;
  v_approver record;
  v_reason text := pay.require_reason(p_reason);
  v_before text;
begin
  perform auth.require_role('admin', 'payroll');
  select a.* into v_approval
  from pay.approvals as a
  where a.enterprise_id = auth.enterprise_id() and a.id = p_approval and a.state = 'PENDING'
  for update;
  if v_approval.id is null then
    raise exception using
      errcode = 'CP311',
      message = 'nothing of that key waits for a decision',
      detail = format('approval %s', p_approval),
      hint = 'List what waits: select * from pay.approvals where state = ''PENDING''.';
  end if;
  v_before := pay.because(v_reason);
  if v_approval.requested_by_person = pay.require_person() then
    update pay.approvals as a
    set state = 'WITHDRAWN', decision_reason = v_reason
    where a.enterprise_id = v_approval.enterprise_id and a.id = v_approval.id
    returning a.* into v_approval;
  else
    v_approver := pay.require_approver(array[v_approval.requested_by_person], array[v_approval.requested_by::text]);
    update pay.approvals as a
    set state = 'DENIED', decision = 'DENIED', decided_by = audit.actor(), decided_by_person = v_approver.person,
      on_behalf_of_person = v_approver.on_behalf_of, decided_at = now(), decision_reason = v_reason
    where a.enterprise_id = v_approval.enterprise_id and a.id = v_approval.id
    returning a.* into v_approval;
  end if;
  perform set_config('app.reason', v_before, true);
  return v_approval;
end
$$;
alter function pay.deny_approval(uuid, text) owner to crewpay_definer;
revoke all on function pay.deny_approval(uuid, text) from public;
grant execute on function pay.deny_approval(uuid, text) to crewpay_admin, crewpay_payroll;
comment on function pay.deny_approval(uuid, text) is
'Says no to what waits for a decision; who asked for it withdraws it so.
p_approval: pay.approvals.id; p_reason: why.
Raises 42501, CP310, CP311 (nothing waits), CP317, CP318 (no reason).';

create or replace function pay.delegate(p_login text, p_until timestamptz, p_reason text)
returns pay.delegations
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_person uuid;
  v_to uuid;
  v_delegation pay.delegations;
  v_reason text := pay.require_reason(p_reason);
  v_before text;
begin
  perform auth.require_role('admin');
  v_person := pay.require_person();
  select p.person_id into v_to
  from auth.persons() as p
  where p.actor = p_login and p.role in ('admin', 'payroll');
  if v_to is null or v_to = v_person then
    raise exception using
      errcode = 'CP310',
      message = format('%s is not another person who could approve', p_login),
      hint = 'Delegate to an administrator or payroll clerk of your enterprise whose login has a person.';
  elsif p_until is null or p_until <= clock_timestamp() then
    raise exception using
      errcode = 'CP317',
      message = 'a delegation ends in the future',
      detail = format('until %s', p_until),
      hint = 'Give the time until which it lasts.';
  end if;
  v_before := pay.because(v_reason);
  insert into pay.delegations (enterprise_id, from_login, from_person, to_login, to_person, until, reason)
  values (auth.enterprise_id(), audit.actor(), v_person, p_login, v_to, p_until, v_reason)
  returning * into v_delegation;
  perform set_config('app.reason', v_before, true);
  return v_delegation;
end
$$;
alter function pay.delegate(text, timestamptz, text) owner to crewpay_definer;
revoke all on function pay.delegate(text, timestamptz, text) from public;
grant execute on function pay.delegate(text, timestamptz, text) to crewpay_admin;
comment on function pay.delegate(text, timestamptz, text) is
'Lets somebody else approve in an administrator''s place for a time. He still can''t approve what he, or who delegated, had a part in.
p_login: his login (behind a pool: pool/user, as the trail names him); p_until: when it ends by itself; p_reason: why.
Raises 42501, CP310 (no other person), CP317 (not in the future), CP318 (no reason).';

create or replace function pay.revoke_delegation(p_delegation uuid)
returns pay.delegations
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_delegation pay.delegations;
begin
  perform auth.require_role('admin');
  update pay.delegations as d
  set revoked_at = now()
  where d.enterprise_id = auth.enterprise_id() and d.id = p_delegation and d.revoked_at is null
  returning d.* into v_delegation;
  if v_delegation.id is null then
    raise exception using
      errcode = 'CP311',
      message = 'no such delegation is in force',
      detail = format('delegation %s', p_delegation),
      hint = 'List them: select * from pay.delegations where revoked_at is null.';
  end if;
  return v_delegation;
end
$$;
alter function pay.revoke_delegation(uuid) owner to crewpay_definer;
revoke all on function pay.revoke_delegation(uuid) from public;
grant execute on function pay.revoke_delegation(uuid) to crewpay_admin;
comment on function pay.revoke_delegation(uuid) is
'Takes a delegation back before it ends; any administrator may.
p_delegation: pay.delegations.id. Raises 42501, CP311 (none in force).';
