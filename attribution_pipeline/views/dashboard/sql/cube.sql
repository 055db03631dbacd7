-- Roll-ups of some days, summed over what no page tells apart.
-- in:  spend_daily
-- out: grain: the columns below
select charge_date as day, billing_currency,
       feature, tenant_id, workflow_id, task, agent, model, surface, component, service,
       team, cost_center, environment, confidence, unallocated_reason,
       settlement, policy_version,
       cast(sum(billed_cost) as decimal(38, 12)) as billed_cost,
       cast(sum(effective_cost) as decimal(38, 12)) as effective_cost
from spend_daily
group by charge_date, billing_currency,
       feature, tenant_id, workflow_id, task, agent, model, surface, component, service,
       team, cost_center, environment, confidence, unallocated_reason,
       settlement, policy_version
