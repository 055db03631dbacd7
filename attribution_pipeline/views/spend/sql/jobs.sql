-- What workflows cost for each tenant up to a day, without overhead, which rides on other costs.
-- in:  spend_daily
-- out: grain: workflow, tenant, currency
select workflow_id, tenant_id, billing_currency, cast(sum({metric}) as decimal(38, 12)) as cost
from spend_daily
where workflow_id is not null and component <> 'overhead' and charge_date <= date '{until}'
group by workflow_id, tenant_id, billing_currency
order by workflow_id, tenant_id nulls last, billing_currency
