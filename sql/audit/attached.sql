-- The audited tables. Deploy runs this again whenever a migration was applied, so that new columns are recorded.
-- When audit.attach() itself changes, raise this number: 3.

do $$
begin
  perform audit.attach('platform.enterprises');
  perform audit.attach('platform.users');
  perform audit.attach('platform.system_configs');
  perform audit.attach('auth.principals');
  perform audit.attach('crew.crew_members');
  perform audit.attach('crew.flights');
  perform audit.attach('crew.trips');
  perform audit.attach('crew.crew_assignments');
  perform audit.attach('crew.crew_months');
  perform audit.attach('crew.contract_months');
  perform audit.attach('rules.faa_rules');
  perform audit.attach('rules.union_contract_terms');
  perform audit.attach('rules.declared_facts');
  perform audit.attach('rules.rule_interpretations',
    p_update_action => $sql$case when o.validated_at is null and n.validated_at is not null then 'APPROVED' else 'UPDATED' end::audit.audit_action$sql$);
  perform audit.attach('rules.interpretation_faa_rules');
  perform audit.attach('rules.interpretation_contract_terms');
  perform audit.attach('pay.pay_periods');
  perform audit.attach('pay.pay_runs');
  -- A run writes ten thousand rows at once; its own row carries their hash, and replaced rows are kept as versions.
  perform audit.attach('pay.pay_calculations',
    p_skip => array['line_term', 'line_node', 'line_quantity', 'line_cents'],
    p_summary_by => 'run_id',
    p_update_action => $sql$case when o.validated_at is null and n.validated_at is not null then 'APPROVED' else 'UPDATED' end::audit.audit_action$sql$);
  perform audit.attach('pay.payroll_payments');
  perform audit.attach('pay.approvals',
    p_update_action => $sql$case when o.decision is null and n.decision is not null then n.decision::text else 'UPDATED' end::audit.audit_action$sql$);
  perform audit.attach('pay.delegations');
  perform audit.attach('pay.adjustments',
    p_update_action => $sql$case
      when o.state = 'PROPOSED' and n.state = 'APPROVED' then 'APPROVED'
      when o.state = 'PROPOSED' and n.state = 'DENIED' then 'DENIED'
      else 'UPDATED'
    end::audit.audit_action$sql$);
  perform audit.attach('pay.overrides',
    p_update_action => $sql$case
      when o.state = 'PROPOSED' and n.state = 'APPROVED' then 'APPROVED'
      when o.state = 'PROPOSED' and n.state = 'DENIED' then 'DENIED'
      else 'UPDATED'
    end::audit.audit_action$sql$);
  perform audit.attach('pay.retro_queue');
  perform audit.attach('pay.retros',
    p_update_action => $sql$case n.state when 'APPROVED' then 'APPROVED' when 'DENIED' then 'DENIED' else 'UPDATED' end::audit.audit_action$sql$);
  perform audit.attach('pay.recoveries',
    p_update_action => $sql$case n.state when 'APPROVED' then 'APPROVED' when 'DENIED' then 'DENIED' else 'UPDATED' end::audit.audit_action$sql$);
  perform audit.attach('pay.recovery_instalments');
  perform audit.attach('crew.corrections',
    p_update_action => $sql$case when o.approved_at is null and n.approved_at is not null then 'APPROVED' else 'UPDATED' end::audit.audit_action$sql$);
  perform audit.attach('pay.rate_changes',
    p_update_action => $sql$case when o.approved_at is null and n.approved_at is not null then 'APPROVED' else 'UPDATED' end::audit.audit_action$sql$);
  perform audit.attach('review.discrepancies');
  perform audit.attach('review.claims',
    p_update_action => $sql$case
      when n.decision is not distinct from o.decision then 'UPDATED'
      when n.decision = 'DENY' then 'DENIED'
      when n.decision is not null then 'APPROVED'
      else 'UPDATED'
    end::audit.audit_action$sql$);
  perform audit.attach('review.holidays');
  perform audit.attach('review.claim_lines');
  perform audit.attach('review.claim_evidence', p_skip => array['content']);
  perform audit.attach('notify.notifications');
  perform audit.attach('notify.contacts');
  perform audit.attach('notify.preferences');
end $$;
