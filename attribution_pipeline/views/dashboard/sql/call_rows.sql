-- What one call cost on one day: a row for each ledger row that it has a part of.
-- in:  ledger, operation_costs of the day
-- out: grain: ledger row of the call
select l.charge_date, l.attribution_id, l.charge_id, l.provider, l.service, l.charge_category,
       l.charge_class, l.component, l.model, l.token_kind,
       l.pool, l.method, l.driver, l.driver_unit, l.confidence, l.unallocated_reason, l.settlement,
       cast(l.policy_version as varchar) as policy_versions, l.billing_currency,
       cast(c.weight as bigint) as weight, l.driver_quantity, l.driver_total,
       l.billed_cost as row_billed_cost, l.effective_cost as row_effective_cost,
       cast(c.billed_cost as decimal(38, 12)) as billed_cost,
       cast(c.effective_cost as decimal(38, 12)) as effective_cost
from operation_costs c
join ledger l on l.attribution_id = c.attribution_id and l.charge_date = c.charge_date
where {call}
order by l.charge_date, c.{metric} desc, l.attribution_id
