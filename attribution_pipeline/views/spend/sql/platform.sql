-- What many share: pools, services and resources, and what of them stood idle.
-- in:  resources_daily
-- out: grain: surface, pool, service, resource, currency
select
    surface, pool, service, resource_id,
    cast(coalesce(sum(case when component = 'idle' then {metric} end), 0) as decimal(38, 12)) as idle,
    billing_currency,
    {tail}
from resources_daily
where component in ('workload', 'shared', 'idle')
group by surface, pool, service, resource_id, billing_currency
order by {order}, surface, pool nulls last, service, resource_id nulls last, billing_currency
