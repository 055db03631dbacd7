-- What some calls cost in one currency. A call that ran over midnight has a part of the day before,
-- by its key.
-- in:  operations, operation_costs, ledger of the calls' days and the days before, with charge_date
-- out: grain: operation that costs something in the currency
with found as (
    select charge_date, operation_number, {key} as operation_key
    from operations
    where {wanted}
),
parts as (
    select f.charge_date, f.operation_number, c.charge_date as paid_on, c.attribution_id,
           c.{metric} as cost
    from found f
    join operation_costs c
        on c.operation_number = f.operation_number and c.charge_date = f.charge_date
    union all
    select f.charge_date, f.operation_number, c.charge_date as paid_on, c.attribution_id,
           c.{metric} as cost
    from found f
    join operation_costs c
        on c.operation_key = f.operation_key
        and cast(c.charge_date + interval 1 day as date) = f.charge_date
)
select p.charge_date, p.operation_number, cast(sum(p.cost) as decimal(38, 12)) as cost
from parts p
join ledger l on l.attribution_id = p.attribution_id and l.charge_date = p.paid_on
where l.billing_currency = {currency}
group by p.charge_date, p.operation_number
