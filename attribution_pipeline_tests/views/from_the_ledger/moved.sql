-- What one tenant and feature cost on some days, by what people would look at first.
-- in:  ledger
-- out: grain: workflow, model, component, currency, day
select workflow_id, model, component, charge_date,
       cast(sum({metric}) as decimal(38, 12)) as cost
from ledger
where tenant_id is not distinct from ? and feature is not distinct from ?
  and billing_currency = ? and component <> 'overhead' and coalesce(unallocated_reason, '') <> 'outside_range'
group by workflow_id, model, component, charge_date
