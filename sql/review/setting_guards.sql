-- Settings of detection, checks and claims are read by jobs at night: what they can't read is refused when it is written.

create or replace function review.setting_defects(p_key text, p_value jsonb, p_default jsonb)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(d.defect, ', ' order by d.defect)
  from jsonb_each(case jsonb_typeof(p_value) when 'object' then p_value else '{}' end) as m (key, value)
  cross join lateral (
    select case
      when not p_default ? m.key then format('%s: unknown', m.key)
      when jsonb_typeof(m.value) <> jsonb_typeof(p_default -> m.key) then format('%s: not a %s', m.key, jsonb_typeof(p_default -> m.key))
      when m.key = 'severity' and not m.value #>> '{}' = any (enum_range(null::review.severity)::text[]) then format('severity: none of %s', enum_range(null::review.severity))
      when m.key like '%_days' and jsonb_typeof(m.value) = 'number' and m.value::numeric <> trunc(m.value::numeric) then format('%s: not whole days', m.key)
      when jsonb_typeof(m.value) = 'number' and m.value::numeric < 0 then format('%s: below zero', m.key)
      when jsonb_typeof(m.value) = 'object' and exists (
        select from jsonb_each(m.value) as e (name, amount)
        where jsonb_typeof(e.amount) <> 'number' or e.amount::numeric < 0
          or not e.name = any (case m.key when 'due_days' then array_append(enum_range(null::pay.component)::text[], 'default') else '{amount,percent}' end)
          or m.key = 'due_days' and e.amount::numeric <> trunc(e.amount::numeric))
        then format('%s: %s', m.key, case m.key when 'due_days' then 'whole days by component, or default' else 'amount and percent, as numbers' end)
    end as defect
  ) as d
$$;
comment on function review.setting_defects(text, jsonb, jsonb) is
'What is wrong with a setting that is an object, null where nothing is.
p_key: name; p_value: what it is to be; p_default: the one it overrides, of which its members have to be.';

create or replace function review.tg_setting_fits()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_default jsonb;
  v_defects text;
begin
  if jsonb_typeof(new.value) = 'null' then
    return new;
  elsif new.key like 'review.check.%' then
    select '{"enabled": true, "min_amount": 0.01, "severity": "LOW"}'::jsonb || c.settings into v_default
    from review.checks as c
    where 'review.check.' || c.id = new.key;
    v_defects := case when v_default is null then 'there is no such check' end;
  else
    select c.value into v_default
    from platform.system_configs as c
    where c.key = new.key and c.tenant_id is null and c.id <> new.id
    order by c.version desc
    limit 1;
    if v_default is null then
      return new;
    end if;
  end if;
  v_defects := coalesce(v_defects, case when jsonb_typeof(new.value) <> 'object' then 'not an object' end,
    review.setting_defects(new.key, new.value, v_default));
  if v_defects is not null then
    raise exception using
      errcode = 'CP109',
      message = format('the setting %s can''t be read', new.key),
      detail = v_defects,
      hint = coalesce(format('Its members: %s.', v_default), 'Checks: select id, settings from review.checks.');
  end if;
  return new;
end
$$;
alter function review.tg_setting_fits() owner to crewpay_definer;
revoke all on function review.tg_setting_fits() from public;
comment on function review.tg_setting_fits() is
'Row trigger before writing settings of review: members that are there, of their type. Raises CP109.';

create or replace trigger system_configs_20_review before insert or update of value on platform.system_configs
  for each row when (new.key like 'review.%') execute function review.tg_setting_fits();
comment on trigger system_configs_20_review on platform.system_configs is 'Settings that detection and claims could not read are refused.';
