-- Functions that run with the definer's rights call helpers of every schema; nobody else gets a function without a grant of its own.

grant execute on function pay.cents_total(integer[]) to crewpay_definer;
alter default privileges in schema auth, audit, platform, crew, rules, graph, compliance, pay, review, notify, travel, ops
  grant execute on functions to crewpay_definer;
