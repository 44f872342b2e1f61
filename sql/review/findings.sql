-- What most checks have in common: they pick differences of one type, above their least amount.

create or replace function review.findings_of(p_scope review.scope, p_kind review.discrepancy_type, p_settings jsonb)
returns setof review.finding
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select d.crew_member_id, d.flight_id, d.component, d.basis, d.level, d.node, null::text, d.expected, d.actual, d.reason, d.explanation
  from unnest(p_scope.differences) as d
  where d.kind = p_kind
    and abs(d.expected - d.actual) >= (p_settings ->> 'min_amount')::numeric
$$;
comment on function review.findings_of(review.scope, review.discrepancy_type, jsonb) is
'Differences of one type as findings.
p_scope: what is looked at; p_kind: type; p_settings: of the check.';
