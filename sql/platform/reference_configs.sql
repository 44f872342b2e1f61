-- Settings of the document, global. Values that operators changed stay.

insert into platform.system_configs (key, value, value_type, category, description)
select v.key, v.value::jsonb, v.value_type, v.category, v.description
from (values
  ('api.rate_limit.default',    '1000',  'number',  'runtime',  'Default API rate limit per hour'),
  ('weather.cache_ttl',         '300',   'number',  'runtime',  'Weather data cache TTL in seconds'),
  ('flight.search_timeout',     '30',    'number',  'runtime',  'Flight search timeout in seconds'),
  ('layover.min_duration',      '90',    'number',  'business', 'Minimum layover duration in minutes'),
  ('algorithm.weather_weight',  '0.3',   'number',  'business', 'Weather factor in scoring algorithm'),
  ('security.session_timeout',  '3600',  'number',  'security', 'Session timeout in seconds'),
  ('security.token_max_minutes', '15', 'number', 'security', 'Longest life of a token of auth.login in minutes; an enterprise may shorten it'),
  ('pay.recovery_instalments', '3', 'number', 'business', 'In how many instalments an overpayment is proposed to be recovered'),
  ('notify.max_attempts', '8', 'number', 'runtime', 'How often the delivery of a notification is tried'),
  ('pay.adjustment_limit', '500', 'number', 'business', 'Adjustments of a crew member in a period, or a claim, above this sum need a second person; an enterprise may only lower it'),
  ('rules.guidance_confidence', '80', 'number', 'business', 'Interpretations count as guidance above this confidence, once validated'),
  ('features.experimental_ml',  'false', 'boolean', 'runtime',  'Enable experimental ML features')
) as v (key, value, value_type, category, description)
where not exists (
  select
  from platform.system_configs c
  where c.key = v.key
    and c.tenant_id is null);
