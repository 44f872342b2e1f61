revoke execute on function pay.cents_total(integer[]) from crewpay_definer;
alter default privileges in schema auth, audit, platform, crew, rules, graph, compliance, pay, review, notify, travel, ops
  revoke execute on functions from crewpay_definer;
