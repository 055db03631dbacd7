-- The ledger's days by everything that people group by, but charges, resources and consumers.
-- Charges of one slice are divided by the same tokens, so a slice's tokens are those of its widest
-- charge alone: a correction beside its usage does not count them again.
-- in:  ledger, operations, operation_costs
-- out: grain: day, {keys}
with retried as (
    select c.charge_date, c.attribution_id,
           sum(c.billed_cost) as billed_cost, sum(c.effective_cost) as effective_cost
    from operation_costs c
    join operations o
      on o.charge_date = c.charge_date and o.operation_number = c.operation_number
    where o.attempt > 1 and c.operation_key is null
    group by c.charge_date, c.attribution_id
),
weighed as (
    select *,
           case when method = 'meter' and leg in ('own', 'open') then driver_quantity end as told
    from ledger
),
summed as (
    select *,
           sum(told) over (
               partition by charge_date, provider, model, surface, token_kind, billing_currency,
                            billing_account_id, sub_account_id, region, charge_id) as charge_tokens
    from weighed
),
placed as (
    select *,
           dense_rank() over (
               partition by charge_date, provider, model, surface, token_kind, billing_currency,
                            billing_account_id, sub_account_id, region
               order by charge_tokens desc nulls last, charge_id) as place
    from summed
)
select
    {placed_keys},
    cast(sum(p.billed_cost) as decimal(38, 12)) as billed_cost,
    cast(sum(p.effective_cost) as decimal(38, 12)) as effective_cost,
    cast(coalesce(sum(r.billed_cost), 0) as decimal(38, 12)) as retry_billed_cost,
    cast(coalesce(sum(r.effective_cost), 0) as decimal(38, 12)) as retry_effective_cost,
    cast(coalesce(sum(case when p.basis = 'operations' then p.billed_cost end), 0)
         as decimal(38, 12)) as request_billed_cost,
    cast(coalesce(sum(case when p.basis = 'operations' then p.effective_cost end), 0)
         as decimal(38, 12)) as request_effective_cost,
    cast(sum(case when p.place = 1 then p.told end) as decimal(38, 0)) as tokens,
    count(*) as ledger_rows
from placed p
left join retried r on r.charge_date = p.charge_date and r.attribution_id = p.attribution_id
group by p.charge_date, {placed_keys}
