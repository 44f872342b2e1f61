-- The form of a contract document is checked by its schema since 0.2; what checked the head of a term before stays behind in databases
-- from before.
drop function if exists rules.check_term_head(jsonb);
