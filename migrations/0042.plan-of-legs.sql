-- The plan of the leg stage is made together with the columns it reads: the function returns both.

drop function if exists rules.plan_legs(rules.compiled_term[], text[], jsonb, jsonb);
