-- What one tenant and feature cost on some days, by what people would look at first.
-- in:  spend_daily
-- out: grain: workflow, model, component, currency, day
select workflow_id, model, component, charge_date,
       cast(sum({metric}) as decimal(38, 12)) as cost
from spend_daily
where tenant_id is not distinct from ? and feature is not distinct from ?
  and billing_currency = ? and component <> 'overhead' and {of_its_day}
group by workflow_id, model, component, charge_date
