-- Catches: pay that cites a clause which is not in force in the period (superseded, expired, not yet effective), and clauses that only
-- the rule graph knows. The latter belong to no crew member: detection raises an alert for them.
-- Example: ALPA_Section_13.B stands in the graph, no such term is on record, and a claim was approved under it.
-- False alarms it avoids: a clause replaced by a later version of the same code that pays the same (the version is looked at only
-- where results still cite one that was superseded without successor); scenarios and components, which are no clauses.

create or replace function review.check_rule_parity(p_scope review.scope, p_settings jsonb)
returns setof review.finding
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  with period as materialized (
    select p.* from pay.pay_periods as p where p.enterprise_id = p_scope.enterprise_id and p.id = p_scope.pay_period_id
  ),
  current_terms as materialized (
    select t.term_code, t.effective_date, t.expiration_date
    from rules.union_contract_terms as t
    where t.enterprise_id = p_scope.enterprise_id and t.superseded_at is null
  ),
  -- Few rulesets, many results: which clauses are out of force is asked of the rulesets.
  out_of_force as materialized (
    select r.ruleset_id, r.term_no, u.term_code
    from (
      select distinct c.ruleset_id
      from pay.pay_calculations as c
      where c.enterprise_id = p_scope.enterprise_id and c.pay_period_id = p_scope.pay_period_id
    ) as used
    cross join period as p
    join rules.ruleset_terms as r on r.enterprise_id = p_scope.enterprise_id and r.ruleset_id = used.ruleset_id and r.kind in ('credit', 'pay')
    join rules.union_contract_terms as u on u.enterprise_id = r.enterprise_id and u.id = r.term_id
    where not exists (
      select from current_terms as t
      where t.term_code = u.term_code
        -- Trips that began in the month before are paid under the clause of their first day.
        and daterange(t.effective_date, t.expiration_date) && daterange(p.contract_month - 31, p.end_date, '[]'))
  ),
  cited as materialized (
    select c.crew_member_id, o.term_code, sum(l.cents) * 0.01 as amount
    from out_of_force as o
    join pay.pay_calculations as c
      on c.enterprise_id = p_scope.enterprise_id and c.pay_period_id = p_scope.pay_period_id and c.ruleset_id = o.ruleset_id
    cross join lateral unnest(c.line_term, c.line_cents) as l (term_no, cents)
    where l.term_no = o.term_no
      and exists (select from out_of_force)
      and (p_scope.crew is null or c.crew_member_id = any (p_scope.crew))
    group by c.crew_member_id, o.term_code
  ),
  graph_codes as (
    select distinct e.code
    from (
      select g.from_code as code from graph.edges as g
      where g.enterprise_id = p_scope.enterprise_id and g.generation = rules.accepted_generation(p_scope.enterprise_id)
        and g.kind in ('APPLIES_TO', 'CONFLICTS_WITH')
      union all
      select g.to_code from graph.edges as g
      where g.enterprise_id = p_scope.enterprise_id and g.generation = rules.accepted_generation(p_scope.enterprise_id)
        and g.kind = 'CONFLICTS_WITH'
    ) as e
  )
  select c.crew_member_id, null::uuid, null::pay.component, 'RECORDED'::review.basis, null::text, null::bigint, c.term_code, c.amount, c.amount,
    'CLAUSE_NOT_IN_FORCE'::review.reason, format('%s of pay cites %s, which is not in force in the period.', c.amount, c.term_code)
  from cited as c
  union all
  select null, null, null, null, null, null, g.code, 0, 0, 'CLAUSE_NOT_IN_FORCE', format('%s stands in the rule graph, and no such term is on record.', g.code)
  from graph_codes as g
  where not exists (select from rules.union_contract_terms as t where t.enterprise_id = p_scope.enterprise_id and t.term_code = g.code)
    and not exists (select from rules.faa_rules as f where f.rule_code = g.code)
$$;
comment on function review.check_rule_parity(review.scope, jsonb) is
'Check RULE_PARITY; findings without a crew member are about the contract as a whole.
p_scope: what is looked at; p_settings: none of its own.';
