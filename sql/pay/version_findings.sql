-- A run that uses terms outside their known dates says so: terms that have run out, and versions that were recorded only after the
-- period's pay had been approved.

create or replace function pay.version_findings(p_run pay.pay_runs, p_period pay.pay_periods, p_crew uuid[])
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  with used as (
    select r.id, r.positions, min(t.term_id::text)::uuid as first_term
    from rules.rulesets as r
    join rules.ruleset_terms as t on t.enterprise_id = r.enterprise_id and t.ruleset_id = r.id
    where r.enterprise_id = p_run.enterprise_id
      and r.id in (
        select c.ruleset_id
        from pay.pay_calculations as c
        where c.enterprise_id = p_run.enterprise_id and c.pay_period_id = p_run.pay_period_id and (p_crew is null or c.crew_member_id = any (p_crew)))
    group by r.enterprise_id, r.id
  ),
  approved as (
    select min(a.decided_at) as at
    from pay.approvals as a
    join pay.pay_runs as r on r.enterprise_id = a.enterprise_id and r.id = a.subject_id
    where a.enterprise_id = p_run.enterprise_id
      and a.subject_kind = 'RUN'
      and a.decision = 'APPROVED'
      and r.pay_period_id = p_run.pay_period_id
  ),
  findings as (
    select 'CP220' as code, u.first_term as term_id,
      format('%s: the terms on record end on %s; paid as they stood the day before', array_to_string(u.positions, ', '), min(k.until)) as detail
    from used as u
    join rules.known_until(p_run.enterprise_id) as k on k.crew_position = any (u.positions)
    where k.until <= p_period.end_date
    group by u.positions, u.first_term
    union all
    select distinct 'CP221', t.id,
      format('%s: the version of %s was recorded on %s, after this pay had been approved on %s', t.term_code, t.effective_date,
        to_char(t.recorded_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), to_char(a.at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'))
    from used as u
    cross join approved as a
    join rules.ruleset_terms as r on r.enterprise_id = p_run.enterprise_id and r.ruleset_id = u.id
    join rules.union_contract_terms as t on t.enterprise_id = r.enterprise_id and t.id = r.term_id
    where t.recorded_at > a.at
  )
  insert into pay.run_findings (enterprise_id, run_id, finding_no, code, term_id, level, node, detail)
  select p_run.enterprise_id, p_run.id,
    (select coalesce(max(known.finding_no), 0) from pay.run_findings as known where known.enterprise_id = p_run.enterprise_id and known.run_id = p_run.id)
      + row_number() over (order by f.code, f.detail),
    f.code, f.term_id, 'month', 0, f.detail
  from findings as f;
end
$$;
comment on function pay.version_findings(pay.pay_runs, pay.pay_periods, uuid[]) is
'Findings of a run about its contract: CP220, paid by terms that have run out; CP221, by a version recorded after the period''s pay was approved.
p_run, p_period: the run, its results written, and its period; p_crew: crew members it computed, null for all.';
