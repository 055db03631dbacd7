-- Compared rows added up: what each tenant was charged, and what it would be.
-- in:  compared (grain: day and attribution_id; see comparison.sql)
-- out: grain: tenant and currency; cost without a tenant by its reason
select
    tenant_id,
    case when tenant_id is null then unallocated_reason end as unallocated_reason,
    billing_currency,
    cast(sum(recorded_billed_cost) as decimal(38, 12)) as recorded_billed_cost,
    cast(sum(replayed_billed_cost) as decimal(38, 12)) as replayed_billed_cost,
    cast(sum(delta_billed_cost) as decimal(38, 12)) as delta_billed_cost,
    cast(sum(recorded_effective_cost) as decimal(38, 12)) as recorded_effective_cost,
    cast(sum(replayed_effective_cost) as decimal(38, 12)) as replayed_effective_cost,
    cast(sum(delta_effective_cost) as decimal(38, 12)) as delta_effective_cost
from compared
group by tenant_id, case when tenant_id is null then unallocated_reason end, billing_currency
order by billing_currency, tenant_id nulls last, unallocated_reason
