-- The ledger's days by everything that people group by, but charges, resources and consumers.
-- Charges of one slice are divided by the same tokens, so a slice's tokens are those of its widest
-- charge alone: a correction beside its usage does not count them again. A slice may join accounts and
-- regions, and no column names it: charges of one slice have their denominator in common, and the first
-- of the operations that accounts and regions have it of.
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
called as (
    select charge_date, attribution_id, min(operation_number) as first_operation
    from operation_costs
    where operation_key is null
    group by charge_date, attribution_id
),
weighed as (
    select l.*, l.method = 'meter' and l.leg in ('own', 'open') as tells, c.first_operation
    from ledger l
    left join called c
      on c.charge_date = l.charge_date and c.attribution_id = l.attribution_id
),
summed as (
    select *,
           case when tells then driver_quantity end as told,
           sum(case when tells then driver_quantity end) over (
               partition by charge_date, provider, model, surface, token_kind, driver_total,
                            billing_currency, billing_account_id, sub_account_id, region, charge_id)
               as charge_tokens,
           min(case when tells then first_operation end) over (
               partition by charge_date, provider, model, token_kind, driver_total,
                            billing_account_id, sub_account_id, region) as slice_operation
    from weighed
),
placed as (
    select *,
           dense_rank() over (
               partition by charge_date, provider, model, surface, token_kind, driver_total,
                            slice_operation, billing_currency
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
