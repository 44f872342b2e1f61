-- The indexes of the twelve tables that the crew pay document lists, by name and columns; the tenant comes first.
begin;
create temp view expected (table_name, index_name, columns, is_unique) as
values
  ('crew.crew_members',             'crew_members_employee_id_key',                       '{enterprise_id,employee_id}', true),
  ('crew.crew_members',             'crew_members_seniority_number_idx',                  '{enterprise_id,seniority_number}', false),
  ('crew.crew_members',             'crew_members_base_location_idx',                     '{enterprise_id,base_location}', false),
  ('crew.crew_members',             'crew_members_position_idx',                          '{enterprise_id,position}', false),
  ('crew.flights',                  'flights_flight_number_idx',                          '{enterprise_id,flight_number}', false),
  ('crew.flights',                  'flights_scheduled_departure_idx',                    '{enterprise_id,scheduled_departure}', false),
  ('crew.flights',                  'flights_actual_departure_idx',                       '{enterprise_id,actual_departure}', false),
  ('crew.flights',                  'flights_origin_airport_destination_airport_idx',     '{enterprise_id,origin_airport,destination_airport}', false),
  -- The leg lists of a crew member are read in order of time.
  ('crew.crew_assignments',         'crew_assignments_crew_member_id_idx',                '{enterprise_id,crew_member_id,duty_start_time}', false),
  ('crew.crew_assignments',         'crew_assignments_flight_id_idx',                     '{enterprise_id,flight_id}', false),
  ('crew.crew_assignments',         'crew_assignments_duty_start_time_idx',               '{enterprise_id,duty_start_time}', false),
  ('pay.pay_periods',               'pay_periods_start_date_end_date_idx',                '{enterprise_id,start_date,end_date}', false),
  ('pay.pay_periods',               'pay_periods_status_idx',                             '{enterprise_id,status}', false),
  ('pay.pay_calculations',          'pay_calculations_crew_member_id_idx',                '{enterprise_id,crew_member_id}', false),
  ('pay.pay_calculations',          'pay_calculations_pay_period_id_idx',                 '{enterprise_id,pay_period_id}', false),
  ('pay.pay_calculations',          'pay_calculations_calculation_date_idx',              '{enterprise_id,calculation_date}', false),
  ('review.discrepancies',          'discrepancies_crew_member_id_idx',                   '{enterprise_id,crew_member_id}', false),
  ('review.discrepancies',          'discrepancies_pay_period_id_idx',                    '{enterprise_id,pay_period_id}', false),
  ('review.discrepancies',          'discrepancies_resolution_status_idx',                '{enterprise_id,resolution_status}', false),
  ('review.discrepancies',          'discrepancies_detected_at_idx',                      '{enterprise_id,detected_at}', false),
  ('review.discrepancies',          'discrepancies_severity_idx',                         '{enterprise_id,severity}', false),
  ('review.claims',                 'claims_crew_member_id_idx',                          '{enterprise_id,crew_member_id}', false),
  ('review.claims',                 'claims_claim_number_key',                            '{enterprise_id,claim_number}', true),
  ('review.claims',                 'claims_status_idx',                                  '{enterprise_id,status}', false),
  ('review.claims',                 'claims_submitted_at_idx',                            '{enterprise_id,submitted_at}', false),
  ('rules.faa_rules',               'faa_rules_rule_code_key',                            '{rule_code}', true),
  ('rules.faa_rules',               'faa_rules_rule_category_idx',                        '{rule_category}', false),
  ('rules.union_contract_terms',    'union_contract_terms_term_code_key',                 '{enterprise_id,term_code}', true),
  ('rules.union_contract_terms',    'union_contract_terms_term_category_idx',             '{enterprise_id,term_category}', false),
  ('notify.notifications',          'notifications_crew_member_id_idx',                   '{enterprise_id,crew_member_id}', false),
  ('notify.notifications',          'notifications_sent_at_idx',                          '{enterprise_id,sent_at}', false),
  ('notify.notifications',          'notifications_read_at_idx',                          '{enterprise_id,read_at}', false),
  ('audit.audit_log',               'audit_log_entity_type_entity_id_idx',                '{enterprise_id,entity_type,entity_id}', false),
  ('audit.audit_log',               'audit_log_actor_id_idx',                             '{enterprise_id,actor_id}', false),
  -- BRIN: rows come in the order of time, and the document asks for it.
  ('audit.audit_log',               'audit_log_created_at_idx',                           '{created_at}', false);

create temp view actual (table_name, index_name, columns, is_unique) as
select
  t.name,
  x.relname::text,
  (select array_agg(a.attname order by k.n)::text
   from unnest(i.indkey::smallint[]) with ordinality k (attnum, n)
   join pg_attribute a on a.attrelid = t.oid and a.attnum = k.attnum),
  i.indisunique
from test.tables t
join pg_index i on i.indrelid = t.oid
join pg_class x on x.oid = i.indexrelid;

select plan(1 + (select count(*)::integer from expected));
select ok(
  exists (select from actual a where (a.table_name, a.index_name, a.columns, a.is_unique) = (e.table_name, e.index_name, e.columns, e.is_unique)),
  format('%s has index %s %s', e.table_name, e.index_name, e.columns))
from expected e;
select is(
  (select m.amname from pg_class c join pg_am m on m.oid = c.relam where c.oid = 'audit.audit_log_created_at_idx'::regclass),
  'brin', 'the trail''s times are indexed by BRIN');
select * from finish();
rollback;
