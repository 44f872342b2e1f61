-- Row-level security of schema rules. Terms change through functions and administrators; rulesets and plans only through functions.

drop policy if exists global_read on rules.faa_rules;
create policy global_read on rules.faa_rules
  for select to crewpay_definer, crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync
  using (true);
comment on policy global_read on rules.faa_rules is 'Global: whoever has a grant may read.';

drop policy if exists global_read on rules.facts;
create policy global_read on rules.facts
  for select to crewpay_definer, crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync
  using (true);
comment on policy global_read on rules.facts is 'Global: whoever has a grant may read.';

drop policy if exists global_read on rules.formula_types;
create policy global_read on rules.formula_types
  for select to crewpay_definer, crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync
  using (true);
comment on policy global_read on rules.formula_types is 'Global: whoever has a grant may read.';

drop policy if exists global_read on rules.formula_parameters;
create policy global_read on rules.formula_parameters
  for select to crewpay_definer, crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync
  using (true);
comment on policy global_read on rules.formula_parameters is 'Global: whoever has a grant may read.';

drop policy if exists definer_tenant on rules.union_contract_terms;
create policy definer_tenant on rules.union_contract_terms
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on rules.union_contract_terms is 'Functions act in the caller''s enterprise only.';

drop policy if exists admin_all_data on rules.union_contract_terms;
create policy admin_all_data on rules.union_contract_terms
  for all to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()))
  with check ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on rules.union_contract_terms is 'Administrators: all rows of their enterprise.';

drop policy if exists tenant_read on rules.union_contract_terms;
create policy tenant_read on rules.union_contract_terms
  for select to crewpay_crew, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync
  using ((select auth.role() in ('crew', 'payroll', 'service_role', 'bi', 'sync'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on rules.union_contract_terms is 'Read: the own enterprise''s contract is open to all of its people.';

drop policy if exists definer_tenant on rules.rule_interpretations;
create policy definer_tenant on rules.rule_interpretations
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on rules.rule_interpretations is 'Functions act in the caller''s enterprise only.';

drop policy if exists admin_all_data on rules.rule_interpretations;
create policy admin_all_data on rules.rule_interpretations
  for all to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()))
  with check ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on rules.rule_interpretations is 'Administrators: all rows of their enterprise.';

drop policy if exists tenant_read on rules.rule_interpretations;
create policy tenant_read on rules.rule_interpretations
  for select to crewpay_crew, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync
  using ((select auth.role() in ('crew', 'payroll', 'service_role', 'bi', 'sync'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on rules.rule_interpretations is 'Read: the own enterprise''s contract is open to all of its people.';

drop policy if exists definer_tenant on rules.interpretation_faa_rules;
create policy definer_tenant on rules.interpretation_faa_rules
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on rules.interpretation_faa_rules is 'Functions act in the caller''s enterprise only.';

drop policy if exists admin_all_data on rules.interpretation_faa_rules;
create policy admin_all_data on rules.interpretation_faa_rules
  for all to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()))
  with check ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on rules.interpretation_faa_rules is 'Administrators: all rows of their enterprise.';

drop policy if exists tenant_read on rules.interpretation_faa_rules;
create policy tenant_read on rules.interpretation_faa_rules
  for select to crewpay_crew, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync
  using ((select auth.role() in ('crew', 'payroll', 'service_role', 'bi', 'sync'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on rules.interpretation_faa_rules is 'Read: the own enterprise''s contract is open to all of its people.';

drop policy if exists definer_tenant on rules.interpretation_contract_terms;
create policy definer_tenant on rules.interpretation_contract_terms
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on rules.interpretation_contract_terms is 'Functions act in the caller''s enterprise only.';

drop policy if exists admin_all_data on rules.interpretation_contract_terms;
create policy admin_all_data on rules.interpretation_contract_terms
  for all to crewpay_admin
  using ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()))
  with check ((select auth.role() = 'admin') and enterprise_id = (select auth.enterprise_id()));
comment on policy admin_all_data on rules.interpretation_contract_terms is 'Administrators: all rows of their enterprise.';

drop policy if exists tenant_read on rules.interpretation_contract_terms;
create policy tenant_read on rules.interpretation_contract_terms
  for select to crewpay_crew, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync
  using ((select auth.role() in ('crew', 'payroll', 'service_role', 'bi', 'sync'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on rules.interpretation_contract_terms is 'Read: the own enterprise''s contract is open to all of its people.';

drop policy if exists definer_tenant on rules.declared_facts;
create policy definer_tenant on rules.declared_facts
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on rules.declared_facts is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on rules.declared_facts;
create policy tenant_read on rules.declared_facts
  for select to crewpay_admin, crewpay_payroll, crewpay_service
  using ((select auth.role() in ('admin', 'payroll', 'service_role'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on rules.declared_facts is 'Read: facts that the own enterprise declared.';

drop policy if exists definer_tenant on rules.rulesets;
create policy definer_tenant on rules.rulesets
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on rules.rulesets is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on rules.rulesets;
create policy tenant_read on rules.rulesets
  for select to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync
  using ((select auth.role() in ('crew', 'admin', 'payroll', 'service_role', 'bi', 'sync'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on rules.rulesets is 'Read: the own enterprise''s contract as compiled.';

drop policy if exists definer_tenant on rules.ruleset_terms;
create policy definer_tenant on rules.ruleset_terms
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on rules.ruleset_terms is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on rules.ruleset_terms;
create policy tenant_read on rules.ruleset_terms
  for select to crewpay_crew, crewpay_admin, crewpay_payroll, crewpay_service, crewpay_bi, crewpay_sync
  using ((select auth.role() in ('crew', 'admin', 'payroll', 'service_role', 'bi', 'sync'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on rules.ruleset_terms is 'Read: the own enterprise''s contract as compiled.';

drop policy if exists definer_tenant on rules.plans;
create policy definer_tenant on rules.plans
  for all to crewpay_definer
  using (enterprise_id = (select auth.enterprise_id()))
  with check (enterprise_id = (select auth.enterprise_id()));
comment on policy definer_tenant on rules.plans is 'Functions act in the caller''s enterprise only.';

drop policy if exists tenant_read on rules.plans;
create policy tenant_read on rules.plans
  for select to crewpay_admin, crewpay_payroll, crewpay_service
  using ((select auth.role() in ('admin', 'payroll', 'service_role'))
    and enterprise_id = (select auth.enterprise_id()));
comment on policy tenant_read on rules.plans is 'Read: the compiled SQL of the own enterprise''s contract.';
