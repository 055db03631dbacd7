-- The sums of every recorded day, in memory.
-- out: spend, empty
create table spend (
    day date, billing_currency varchar,
    feature varchar, tenant_id varchar, workflow_id varchar, task varchar, agent varchar,
    model varchar, surface varchar, component varchar, service varchar,
    team varchar, cost_center varchar, environment varchar,
    confidence varchar, unallocated_reason varchar, settlement varchar, policy_version integer,
    billed_cost decimal(38, 12), effective_cost decimal(38, 12)
)
