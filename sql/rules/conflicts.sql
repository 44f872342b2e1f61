-- Conflicts of the rule graph. PRIORITY, MOST_SPECIFIC and FAA_PREVAILS drop the loser where the winner's own condition holds (whether or
-- not the winner is itself dropped); ADDITIVE turns the lesser into an add; GREATEST lets credits compete, and makes one group of pay.

create or replace function rules.wins_over(p_method text, p_term rules.union_contract_terms, p_other rules.union_contract_terms)
returns boolean
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case p_method
    when 'MOST_SPECIFIC' then (-rules.specificity(p_term.calculation_formula -> 'when'), p_term.priority, p_term.term_code)
      < (-rules.specificity(p_other.calculation_formula -> 'when'), p_other.priority, p_other.term_code)
    else (p_term.priority, p_term.term_code) < (p_other.priority, p_other.term_code)
  end
$$;
comment on function rules.wins_over(text, rules.union_contract_terms, rules.union_contract_terms) is
'Whether a term goes before another by a method of the rule graph: the lower priority number, then the code; by MOST_SPECIFIC more comparisons in its condition first.
p_method: resolution method; p_term, p_other: the two.';

create or replace function rules.conflict_losses(p_enterprise uuid, p_generation bigint, p_codes text[])
returns table (winner text, loser text, method text, notes text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select
    case when ranked.first_wins then e.from_code else e.to_code end,
    case when ranked.first_wins then e.to_code else e.from_code end,
    e.properties ->> 'resolutionMethod',
    e.properties ->> 'notes'
  from graph.edges as e
  join lateral (
    select t from rules.terms_in_force(p_enterprise) as t where t.term_code = e.from_code order by t.effective_date desc limit 1
  ) as a (term) on true
  join lateral (
    select t from rules.terms_in_force(p_enterprise) as t where t.term_code = e.to_code order by t.effective_date desc limit 1
  ) as b (term) on true
  cross join lateral (select rules.wins_over(e.properties ->> 'resolutionMethod', a.term, b.term)) as ranked (first_wins)
  where e.enterprise_id = p_enterprise
    and e.generation = p_generation
    and e.kind = 'CONFLICTS_WITH'
    and e.from_code = any (p_codes)
    and e.to_code = any (p_codes)
  order by e.from_code, e.to_code
$$;
comment on function rules.conflict_losses(uuid, bigint, text[]) is
'Winner and loser of each conflict among the given term codes, by the method of the rule graph.
p_enterprise: tenant; p_generation: accepted generation; p_codes: codes of terms in force.';

-- Terms that stand in conflict with each other, directly or by way of others, through one of two methods.
create or replace function rules.conflict_groups(p_losses jsonb)
returns table (code text, leader text, methods text[])
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    with recursive edges as (
      select l ->> 'winner' as code, l ->> 'loser' as other, l ->> 'method' as method
      from jsonb_array_elements(p_losses) as l
      where l ->> 'method' in ('GREATEST', 'ADDITIVE')
    ),
    both_ways as (
      select e.code, e.other from edges as e
      union
      select e.other, e.code from edges as e
    ),
    reached as (
      select b.code, b.code as other from both_ways as b
      union
      select r.code, b.other from reached as r join both_ways as b on b.code = r.other
    )
    select g.code, g.leader, array(select distinct e.method from edges as e where e.code = any (g.members) or e.other = any (g.members) order by 1)
    from (
      select r.code, min(r.other) as leader, array_agg(r.other) as members from reached as r group by r.code
    ) as g;
end
$$;
comment on function rules.conflict_groups(jsonb) is
'Terms in conflict by GREATEST or ADDITIVE, each with the first code of its connected group and the group''s methods.
p_losses: from rules.conflict_losses().';

-- A conflict that names no method would be paid twice, silently. ADDITIVE needs one level; GREATEST across levels is what two
-- competing credits do anyway (a duty rig against the legs below it), but neither an add nor pay can compete with another level.
create or replace function rules.refuse_conflicts(p_terms jsonb, p_losses jsonb)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_loss jsonb;
  v_levels integer;
  v_kinds text[];
  v_adds boolean;
  v_grouped boolean;
  v_mixed record;
begin
  for v_loss in select value from jsonb_array_elements(p_losses) loop
    select count(distinct t -> 'part' ->> 'level'), array_agg(distinct t -> 'part' ->> 'kind'),
      coalesce(bool_or(t -> 'part' ->> 'combine' = 'add'), false), coalesce(bool_or(t -> 'part' ? 'group'), false)
    into v_levels, v_kinds, v_adds, v_grouped
    from jsonb_array_elements(p_terms) as t
    where t ->> 'code' in (v_loss ->> 'winner', v_loss ->> 'loser') and t -> 'part' ->> 'kind' in ('credit', 'pay');
    if coalesce(v_loss ->> 'method', '') not in ('GREATEST', 'PRIORITY', 'ADDITIVE', 'MOST_SPECIFIC', 'FAA_PREVAILS') then
      perform rules.refuse('CP206', v_loss ->> 'loser',
        format('its conflict with %s is resolved by %s', v_loss ->> 'winner', coalesce(v_loss ->> 'method', 'nothing')),
        'resolutionMethod is GREATEST, PRIORITY, ADDITIVE, MOST_SPECIFIC or FAA_PREVAILS.');
    elsif v_levels > 1 and (v_loss ->> 'method' = 'ADDITIVE' or v_loss ->> 'method' = 'GREATEST' and (v_adds or 'pay' = any (v_kinds))) then
      perform rules.refuse('CP206', v_loss ->> 'loser',
        format('its conflict with %s is resolved by %s across levels', v_loss ->> 'winner', v_loss ->> 'method'),
        'Put both at one level, or resolve by PRIORITY.');
    elsif v_loss ->> 'method' = 'GREATEST' and cardinality(v_kinds) > 1 then
      perform rules.refuse('CP206', v_loss ->> 'loser', format('credit and pay, its conflict with %s, can''t compete', v_loss ->> 'winner'),
        'Resolve by PRIORITY, or make both credit or both pay.');
    elsif v_loss ->> 'method' = 'GREATEST' and v_kinds = '{pay}' and v_grouped then
      perform rules.refuse('CP206', v_loss ->> 'loser', format('a group of its own beside its conflict with %s', v_loss ->> 'winner'),
        'Leave out group: terms in conflict by GREATEST are one group, of which the largest amount is paid.');
    end if;
  end loop;

  select g.code, array_to_string(g.methods, ' and ') as methods into v_mixed
  from rules.conflict_groups(p_losses) as g
  where cardinality(g.methods) > 1
  order by g.code
  limit 1;
  if found then
    perform rules.refuse('CP206', v_mixed.code, format('its conflicts are resolved by %s', v_mixed.methods), 'Terms that hang together in conflict need one method.');
  end if;
end
$$;
comment on function rules.refuse_conflicts(jsonb, jsonb) is
'Refuses conflicts that cannot be resolved.
p_terms: expanded terms; p_losses: from rules.conflict_losses(). Raises CP206.';

-- One pass for conditions: the loser's condition excludes the winner's.
create or replace function rules.exclude_winners(
  p_gate jsonb, p_level text, p_code text, p_terms jsonb, p_losses jsonb)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_loss jsonb;
  v_winner jsonb;
  v_gate jsonb := p_gate;
  v_condition jsonb;
begin
  for v_loss in select value from jsonb_array_elements(p_losses) where value ->> 'loser' = p_code loop
    if v_loss ->> 'method' not in ('PRIORITY', 'MOST_SPECIFIC', 'FAA_PREVAILS') then
      continue;
    end if;
    select value into v_winner
    from jsonb_array_elements(p_terms)
    where value ->> 'code' = v_loss ->> 'winner' and value -> 'part' ->> 'kind' in ('credit', 'pay')
    limit 1;
    if v_winner is null then
      continue;
    end if;
    v_condition := coalesce(nullif(v_winner -> 'gate', 'null'), 'true');
    if rules.level_rank(v_winner -> 'part' ->> 'level') > rules.level_rank(p_level) then
      v_condition := rules.qualify(v_condition, v_winner -> 'part' ->> 'level');
    elsif rules.level_rank(v_winner -> 'part' ->> 'level') < rules.level_rank(p_level) then
      v_condition := jsonb_build_object('>', jsonb_build_array(
        jsonb_build_object('var', rules.helper_name('applies', v_loss ->> 'winner')), 0));
    end if;
    v_condition := jsonb_build_object('!', jsonb_build_array(v_condition));
    v_gate := case when v_gate is null then v_condition else jsonb_build_object('and', jsonb_build_array(v_gate, v_condition)) end;
  end loop;
  return v_gate;
end
$$;
comment on function rules.exclude_winners(jsonb, text, text, jsonb, jsonb) is
'A term''s condition without the nodes where a term that wins over it applies.
p_gate: condition or null; p_level: the term''s level; p_code: its code; p_terms: all expanded terms; p_losses: conflicts.';

-- What a conflict makes of a term that isn't dropped.
create or replace function rules.apply_conflicts(p_term rules.compiled_term, p_losses jsonb)
returns rules.compiled_term
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_leader text;
begin
  if p_losses @> jsonb_build_array(jsonb_build_object('loser', p_term.term_code, 'method', 'ADDITIVE')) then
    p_term.combine := 'add';
    p_term.expanded := p_term.expanded || '{"combine": "add"}';
    return p_term;
  end if;
  select g.leader into v_leader from rules.conflict_groups(p_losses) as g where g.code = p_term.term_code and g.methods = '{GREATEST}';
  if found and p_term.kind = 'credit' then
    p_term.combine := 'greatest';
    p_term.joins := p_term.level;
    p_term.expanded := p_term.expanded || '{"combine": "greatest"}';
  elsif found and p_term.kind = 'pay' then
    p_term.expanded := p_term.expanded || jsonb_build_object('group', 'conflict of ' || v_leader, 'stacking', 'highest');
  end if;
  return p_term;
end
$$;
comment on function rules.apply_conflicts(rules.compiled_term, jsonb) is
'A term as its conflicts by ADDITIVE and GREATEST leave it.
p_term: credit or pay; p_losses: from rules.conflict_losses().';

-- A winner below its loser is read as the sum of a helper measure.
create or replace function rules.winners_below(p_terms jsonb, p_losses jsonb)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', w -> 'id', 'code', w -> 'code', 'priority', 0, 'part_no', 2000, 'gate', w -> 'gate',
    'part', jsonb_build_object('kind', 'measure', 'level', w -> 'part' -> 'level', 'label', 'applies ' || (w ->> 'code'),
      'name', rules.helper_name('applies', w ->> 'code')))), '[]')
  from (
    select distinct on (w ->> 'code') w
    from jsonb_array_elements(p_losses) as l
    join jsonb_array_elements(p_terms) as w on w ->> 'code' = l ->> 'winner' and w -> 'part' ->> 'kind' in ('credit', 'pay')
    join jsonb_array_elements(p_terms) as z on z ->> 'code' = l ->> 'loser' and z -> 'part' ->> 'kind' in ('credit', 'pay')
      and rules.level_rank(z -> 'part' ->> 'level') > rules.level_rank(w -> 'part' ->> 'level')
    where l ->> 'method' in ('PRIORITY', 'MOST_SPECIFIC', 'FAA_PREVAILS')
    order by w ->> 'code'
  ) as winners (w)
$$;
comment on function rules.winners_below(jsonb, jsonb) is
'Helper measures for winners of a level below their loser''s.
p_terms: expanded terms; p_losses: from rules.conflict_losses().';
