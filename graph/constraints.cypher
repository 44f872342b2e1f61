// What identifies a node, within its enterprise; and indexes for what people look for. Safe to run again.
// (Property existence, types and node keys would need the Enterprise Edition: what is read back is checked in Postgres instead.)
CREATE CONSTRAINT rule_code IF NOT EXISTS FOR (n:Rule) REQUIRE (n.enterprise, n.code) IS UNIQUE;
CREATE CONSTRAINT interpretation_id IF NOT EXISTS FOR (n:Interpretation) REQUIRE (n.enterprise, n.id) IS UNIQUE;
CREATE CONSTRAINT scenario_id IF NOT EXISTS FOR (n:Scenario) REQUIRE (n.enterprise, n.id) IS UNIQUE;
CREATE CONSTRAINT pay_component_type IF NOT EXISTS FOR (n:PayComponent) REQUIRE (n.enterprise, n.type) IS UNIQUE;
CREATE CONSTRAINT crewpay_sync_enterprise IF NOT EXISTS FOR (n:CrewPaySync) REQUIRE n.enterprise IS UNIQUE;
CREATE INDEX rule_category IF NOT EXISTS FOR (n:Rule) ON (n.category);
CREATE INDEX rule_only_code IF NOT EXISTS FOR (n:Rule) ON (n.code);
CREATE INDEX scenario_only_id IF NOT EXISTS FOR (n:Scenario) ON (n.id);
CREATE INDEX pay_component_only_type IF NOT EXISTS FOR (n:PayComponent) ON (n.type);
CREATE INDEX rule_enterprise_category_priority IF NOT EXISTS FOR (n:Rule) ON (n.enterprise, n.category, n.priority);
