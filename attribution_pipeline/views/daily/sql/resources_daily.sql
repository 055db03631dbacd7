-- The ledger's days by resource and reason, without who. A charge is counted in one row of what the
-- labelling backlog groups by, so that counts add up; where overhead rode on it, in another one.
-- in:  ledger
-- out: grain: day, {keys}
with placed as (
    select *,
           row_number() over (
               partition by charge_date, charge_id, unallocated_reason, service, resource_id, model,
                            pool, billing_currency
               order by case when component = 'overhead' then 1 else 0 end, component, surface,
                        provider nulls last, confidence, settlement, policy_version,
                        attribution_id) as place
    from ledger
)
select
    {placed_keys},
    cast(sum(p.billed_cost) as decimal(38, 12)) as billed_cost,
    cast(sum(p.effective_cost) as decimal(38, 12)) as effective_cost,
    cast(sum(case when p.place = 1 then 1 else 0 end) as bigint) as charges,
    count(*) as ledger_rows
from placed p
group by p.charge_date, {placed_keys}
