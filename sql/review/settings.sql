-- Settings of detection and claims: the global value of a key, and over it what the enterprise says itself, member by member.

create or replace function review.setting(p_key text)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    (select c.value from platform.system_configs as c where c.key = p_key and c.tenant_id is null and c.is_active), '{}')
    || case when jsonb_typeof(platform.get_config(p_key)) = 'object' then platform.get_config(p_key) else '{}' end
$$;
revoke all on function review.setting(text) from public;
grant execute on function review.setting(text) to crewpay_definer, crewpay_admin, crewpay_payroll, crewpay_service;
comment on function review.setting(text) is
'A setting that is an object: the global one, its members overridden by the enterprise''s own.
p_key: name, e.g. review.detection.';

create or replace function review.check_settings(p_check text)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select '{"enabled": true, "min_amount": 0.01}'::jsonb || c.settings || review.setting('review.check.' || c.id)
  from review.checks as c
  where c.id = p_check
$$;
revoke all on function review.check_settings(text) from public;
grant execute on function review.check_settings(text) to crewpay_definer, crewpay_admin, crewpay_payroll, crewpay_service;
comment on function review.check_settings(text) is
'Settings of a check: those of the catalogue, overridden by the setting review.check.ID of the enterprise.
p_check: check.';

insert into platform.system_configs (key, value, value_type, category, description)
select v.key, v.value::jsonb, 'json', 'business', v.description
from (values
  ('review.detection',
    '{"tolerance": 0.01, "medium": 25, "high": 100, "critical": 500, "share": 0.25, "fallback_pay_days": 15, "look_back_days": 120, "due_days": {}}',
    'Detection: amounts up to tolerance are equal; severities begin at medium, high and critical; a difference of at least share of the crew member''s pay in the period is one severity worse; payments are due due_days of their component after the pay date (without a pay date: fallback_pay_days after the period''s end); every night periods are looked at that ended up to look_back_days ago'),
  ('review.auto_fix', '{"enabled": true, "severity": "MEDIUM", "below": 100}',
    'What detection may put right by itself in an open period: up to this severity, below this amount a crew member')
) as v (key, value, description)
where not exists (select from platform.system_configs as c where c.key = v.key and c.tenant_id is null);
