-- Features and tenants, component by component; charges of earlier days beside them, null where none is.
-- in:  spend_daily
-- out: grain: feature, tenant, currency
select
    feature, tenant_id,
    cast(coalesce(sum(case when component = 'direct' and {of_its_day} then {metric} end), 0) as decimal(38, 12)) as direct,
    cast(coalesce(sum(case when component = 'workload' then {metric} end), 0) as decimal(38, 12)) as workload,
    cast(coalesce(sum(case when component = 'shared' then {metric} end), 0) as decimal(38, 12)) as shared,
    cast(coalesce(sum(case when component = 'idle' then {metric} end), 0) as decimal(38, 12)) as idle,
    cast(coalesce(sum(case when component = 'overhead' then {metric} end), 0) as decimal(38, 12)) as overhead,
    cast(sum(case when not {of_its_day} then {metric} end) as decimal(38, 12)) as before_first_day,
    billing_currency,
    {tail}
from spend_daily
group by feature, tenant_id, billing_currency
order by {order}, feature nulls last, tenant_id nulls last, billing_currency
