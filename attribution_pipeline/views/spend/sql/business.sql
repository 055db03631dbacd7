-- Outcomes by kind, feature and tenant, and what the operations behind them cost: each once a day of
-- outcomes and kind, useful or not. One with outcomes of two kinds, or on two days, is counted for
-- each, so the rows have no total. What no recorded operation answers to stands without feature and
-- tenant.
-- in:  outcomes_daily, outcome_costs_daily
-- out: grain: kind, feature, tenant, currency; the counts are the group's, whatever the currency
with counted as (
    select kind, feature, tenant_id,
           cast(sum(outcomes) as bigint) as outcomes,
           cast(coalesce(sum(case when useful then outcomes end), 0) as bigint) as useful,
           cast(coalesce(sum(case when not matched then outcomes end), 0) as bigint) as unmatched,
           cast(sum(value) as decimal(38, 12)) as value
    from outcomes_daily
    group by kind, feature, tenant_id
),
spent as (
    select kind, feature, tenant_id, billing_currency,
           cast(coalesce(sum(case when not useful then {metric} end), 0) as decimal(38, 12))
               as not_useful_cost,
           {tail}
    from outcome_costs_daily
    group by kind, feature, tenant_id, billing_currency
)
select
    n.kind, n.feature, n.tenant_id, n.outcomes, n.useful, n.unmatched, n.value, s.not_useful_cost,
    s.billing_currency, s.billed_cost, s.effective_cost, s.metered, s.allocated, s.estimated,
    s.unallocated, s.provisional, s.restated, s.status, s.policy_versions
from counted n
left join spent s on s.kind = n.kind and s.feature is not distinct from n.feature
    and s.tenant_id is not distinct from n.tenant_id
order by {order}, n.kind, n.feature nulls last, n.tenant_id nulls last, s.billing_currency nulls last
