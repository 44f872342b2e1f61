drop type pay.used_ruleset;
