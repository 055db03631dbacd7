-- What the roll-ups do not tell apart, of one place: the ledger of its days, summed.
-- in:  ledger of some days
-- out: grain: the columns below, which are those of `spend` and the resource
select charge_date as day, billing_currency, resource_id,
       feature, tenant_id, workflow_id, task, agent, model, surface, component, service,
       team, cost_center, environment, confidence, unallocated_reason,
       settlement, policy_version,
       cast(sum(billed_cost) as decimal(38, 12)) as billed_cost,
       cast(sum(effective_cost) as decimal(38, 12)) as effective_cost
from ledger
where {where}
group by charge_date, billing_currency, resource_id,
       feature, tenant_id, workflow_id, task, agent, model, surface, component, service,
       team, cost_center, environment, confidence, unallocated_reason,
       settlement, policy_version
