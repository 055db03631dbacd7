-- What the operations that have an outcome cost, on the day they ended and on days before.
-- in:  published, links, operation_costs, ledger
-- out: costs (grain: operation, how sure its cost is, currency)
create table costs as
with linked as (
    select distinct p.charge_date, p.operation_number, p.operation_key
    from published p
    join links l on l.charge_date = p.charge_date and l.operation_number = p.operation_number
),
found as (
    select n.charge_date, n.operation_number, c.charge_date as cost_date, c.attribution_id,
           c.billed_cost, c.effective_cost
    from linked n
    join operation_costs c
      on c.charge_date = n.charge_date and c.operation_number = n.operation_number
    where c.operation_key is null or c.operation_key = n.operation_key
    union all
    -- active on a day before the one on which it ended: named by its key there
    select n.charge_date, n.operation_number, c.charge_date, c.attribution_id,
           c.billed_cost, c.effective_cost
    from linked n
    join operation_costs c on c.operation_key = n.operation_key and c.charge_date <> n.charge_date
)
select f.charge_date, f.operation_number, l.confidence, l.settlement, l.policy_version,
       l.billing_currency,
       cast(sum(f.billed_cost) as decimal(38, 12)) as billed_cost,
       cast(sum(f.effective_cost) as decimal(38, 12)) as effective_cost
from found f
join ledger l on l.charge_date = f.cost_date and l.attribution_id = f.attribution_id
group by f.charge_date, f.operation_number, l.confidence, l.settlement, l.policy_version,
         l.billing_currency
