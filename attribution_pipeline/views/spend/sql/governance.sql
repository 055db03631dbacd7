-- Owners, as the policy's `owners` name them.
-- in:  spend_daily
-- out: grain: team, cost center, environment, currency
select
    team, cost_center, environment,
    count(distinct tenant_id) as tenants, count(distinct workflow_id) as workflows,
    billing_currency,
    {tail}
from spend_daily
group by team, cost_center, environment, billing_currency
order by {order}, team nulls last, cost_center nulls last, environment nulls last, billing_currency
