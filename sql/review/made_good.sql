-- What payroll left unpaid in a period and something else pays: corrections booked to another period, claims that were granted. It is
-- neither owed nor claimed a second time, and payroll paying it after all is paying it twice.
--
-- Goodwill beyond what a recalculation supports makes nothing good. Back pay stands beside the books (pay.settled_back_pay): claims count
-- it as well, and it counts what is made good here beyond the books (pay.made_good).

create or replace function review.made_good(p_enterprise uuid, p_period uuid, p_crew uuid[])
returns table (crew_member_id uuid, component pay.component, flight_id uuid, amount numeric, claim_id uuid)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select c.crew_member_id, l.component, l.flight_id, least(l.approved_amount, l.supported_amount), c.id
  from review.claims as c
  join review.claim_lines as l on l.enterprise_id = c.enterprise_id and l.claim_id = c.id
  where c.enterprise_id = p_enterprise
    and c.pay_period_id = p_period
    and (p_crew is null or c.crew_member_id = any (p_crew))
    and c.decision in ('APPROVE', 'PARTIAL_APPROVE')
    and least(l.approved_amount, l.supported_amount) > 0
  union all
  select a.crew_member_id, a.of_component, d.flight_id, a.amount, null
  from pay.adjustments as a
  left join review.discrepancies as d on d.enterprise_id = a.enterprise_id and d.id = a.source_id
  where a.enterprise_id = p_enterprise
    and a.of_period_id = p_period
    and (p_crew is null or a.crew_member_id = any (p_crew))
    and a.source in ('AUTO_FIX', 'MANUAL')
    and a.of_component is not null
    and a.state not in ('WITHDRAWN', 'DENIED')
$$;
comment on function review.made_good(uuid, uuid, uuid[]) is
'What of a period''s pay is made good elsewhere, by component and, where it is about one, flight.
p_enterprise: tenant; p_period: period; p_crew: crew members, null for all. claim_id: the claim, null for an adjustment.';

-- Where what payroll left unpaid is booked: an open period that payroll has paid already pays nothing any more, and its results say
-- what it lacks already; the amount would stand there twice.
create or replace function review.period_to_pay_in(p_enterprise uuid, p_period uuid)
returns uuid
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select p.id
  from pay.pay_periods as p
  join pay.pay_periods as made_good on made_good.enterprise_id = p.enterprise_id and made_good.id = p_period
  where p.enterprise_id = p_enterprise
    and p.status = 'OPEN'
    and p.start_date >= made_good.start_date
    and not exists (select from pay.payroll_payments as x where x.enterprise_id = p.enterprise_id and x.pay_period_id = p.id)
  order by p.start_date
  limit 1
$$;
comment on function review.period_to_pay_in(uuid, uuid) is
'The first open period, from the one concerned on, that payroll has not paid yet; null: none.
p_enterprise: tenant; p_period: period whose pay is made good.';
