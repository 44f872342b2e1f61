drop function if exists rules.plan_legs(rules.compiled_term[], text[], jsonb, jsonb);
