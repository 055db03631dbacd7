-- The ledger at the finest grain that it has: what an operation has of a row, and every row that no
-- operation stands behind, open rows included. A row at zero that lost its support is no record, and
-- charges of earlier days, which the ledger's first day holds, are none of its own.
-- in:  ledger (grain: attribution_id), operation_costs (grain: attribution_id, operation),
--      operations (grain: operation); all by charge_date
-- out: records (grain: attribution_id, operation), cost in the metric {metric}, tokens of meter rows
create view records as
select l.charge_date, l.attribution_id, l.billing_currency, l.provider, l.model, l.surface, l.component, l.leg, l.method,
       l.tenant_id, l.consumer_id, l.principal_id, l.workflow_id, l.token_kind,
       true as has_operation,
       coalesce(o.metered, false) as has_usage,
       c.{metric} as cost,
       -- a correction moves money over the same tokens once more
       case when l.method = 'meter' and l.charge_class is null then c.weight else 0 end as tokens
from operation_costs c
join ledger l on l.charge_date = c.charge_date and l.attribution_id = c.attribution_id
left join operations o on o.charge_date = c.charge_date and o.operation_key = c.operation_key
union all
select l.charge_date, l.attribution_id, l.billing_currency, l.provider, l.model, l.surface, l.component, l.leg, l.method,
       l.tenant_id, l.consumer_id, l.principal_id, l.workflow_id, l.token_kind,
       false as has_operation,
       l.leg = 'own' and l.driver_quantity is not null as has_usage,
       l.{metric} as cost,
       case when l.method = 'meter' and l.charge_class is null
            then coalesce(cast(l.driver_quantity as bigint), 0) else 0 end as tokens
from ledger l
where l.basis <> 'operations' and (l.billed_cost <> 0 or l.effective_cost <> 0)
  and {of_its_day}
