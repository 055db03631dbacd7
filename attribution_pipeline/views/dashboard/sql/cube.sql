-- Rows of some days, summed over what no page tells apart.
-- in:  the roll-up spend_daily; or the ledger, of one place and with a column that roll-ups lack
-- out: grain: the columns below, which are those of spend, and the one more
select charge_date as day, billing_currency, {more}
       feature, tenant_id, workflow_id, task, agent, model, surface, component, service,
       team, cost_center, environment, confidence, unallocated_reason,
       settlement, policy_version,
       cast(sum(billed_cost) as decimal(38, 12)) as billed_cost,
       cast(sum(effective_cost) as decimal(38, 12)) as effective_cost
from {rows}
where {where}
group by charge_date, billing_currency, {more}
       feature, tenant_id, workflow_id, task, agent, model, surface, component, service,
       team, cost_center, environment, confidence, unallocated_reason,
       settlement, policy_version
