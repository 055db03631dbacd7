-- Outcomes by kind, with what the calls behind them cost: each call once a day of outcomes and kind.
-- Kinds do not add up: a call with outcomes of two kinds is in both. One with outcomes on two days is
-- counted on both.
-- in:  outcomes_daily, outcome_costs_daily
-- out: grain: kind, currency
with counted as (
    select kind, cast(sum(outcomes) as bigint) as outcomes,
           cast(coalesce(sum(case when useful then outcomes end), 0) as bigint) as useful,
           cast(coalesce(sum(case when not matched then outcomes end), 0) as bigint) as unmatched
    from outcomes_daily
    group by kind
),
spent as (
    select kind, billing_currency,
           {tail}
    from outcome_costs_daily
    group by kind, billing_currency
)
select n.kind, n.outcomes, n.useful, n.unmatched, s.billing_currency, s.billed_cost, s.effective_cost, s.metered, s.allocated, s.estimated,
       s.unallocated, s.provisional, s.restated, s.status, s.policy_versions
from counted n
left join spent s on s.kind = n.kind
order by s.{metric} desc nulls last, n.kind, s.billing_currency
