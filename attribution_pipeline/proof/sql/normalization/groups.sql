-- Groups, and by how much finer and coarser roll-up differ in each: coarser - finer - named.
-- in:  sums (grain: pair, side, line, tenant, service, currency)
-- out: grain: pair, tenant, service, currency
select pair, tenant_id, service, billing_currency,
       cast(sum(case when side = 'coarser' then billed_cost else -billed_cost end) as decimal(38, 12)) as billed_cost,
       cast(sum(case when side = 'coarser' then effective_cost else -effective_cost end) as decimal(38, 12)) as effective_cost
from sums
group by pair, tenant_id, service, billing_currency
order by pair, billing_currency, service, tenant_id
