-- The day against its bill, per currency and cost. Rows with a reason count as unallocated.
-- in:  charge_lines (grain: line slice), ledger
-- out: one row per currency and cost; difference = billed - everything else
select
    b.billing_currency, b.cost, b.amount as billed,
    coalesce(l.direct, 0) as direct, coalesce(l.workload, 0) as workload,
    coalesce(l.shared, 0) as shared, coalesce(l.idle, 0) as idle,
    coalesce(l.overhead, 0) as overhead, coalesce(l.unallocated, 0) as unallocated,
    cast(b.amount - coalesce(l.amount, 0) as decimal(38, 12)) as difference
from (
    select BillingCurrency as billing_currency, 'billed_cost' as cost,
           cast(sum(billed_cost) as decimal(38, 12)) as amount
    from charge_lines group by BillingCurrency
    union all
    select BillingCurrency, 'effective_cost', cast(sum(effective_cost) as decimal(38, 12))
    from charge_lines group by BillingCurrency
) b
left join (
    select billing_currency, cost,
           cast(sum(amount) as decimal(38, 12)) as amount,
           cast(sum(case when reason is null and component = 'direct' then amount else 0 end) as decimal(38, 12)) as direct,
           cast(sum(case when reason is null and component = 'workload' then amount else 0 end) as decimal(38, 12)) as workload,
           cast(sum(case when reason is null and component = 'shared' then amount else 0 end) as decimal(38, 12)) as shared,
           cast(sum(case when reason is null and component = 'idle' then amount else 0 end) as decimal(38, 12)) as idle,
           cast(sum(case when reason is null and component = 'overhead' then amount else 0 end) as decimal(38, 12)) as overhead,
           cast(sum(case when reason is not null then amount else 0 end) as decimal(38, 12)) as unallocated
    from (
        select billing_currency, component, unallocated_reason as reason,
               'billed_cost' as cost, billed_cost as amount from ledger
        union all
        select billing_currency, component, unallocated_reason, 'effective_cost', effective_cost from ledger
    )
    group by billing_currency, cost
) l on l.billing_currency = b.billing_currency and l.cost = b.cost
order by b.billing_currency, b.cost
