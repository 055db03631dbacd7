-- Charge lines that stand in more than one delivered unit of an account and billing period, alike in
-- every column, the vendor's own columns too.
-- A line that stands k times in one unit is the vendor's; copies beyond the most that one unit has are not.
-- in:  charges (grain: one standing line, or its slice of the day)
--      units (source, object_id, delivery, unit): a file, or all files that one manifest names
-- out: grain: the units that hold the same lines, billing account, billing currency
with numbered as (
    select u.unit, c.*
    from charges c
    join units u on u.source = c.source and u.object_id = c.object_id and u.delivery = c.delivery
),
-- lines that are alike are of one charge (account, billing period and day are part of its identity): few
-- charges come in two units, and only their lines are compared
several as (
    select source, charge_id
    from numbered
    group by source, charge_id
    having min(unit) < max(unit)
),
in_unit as (
    select {said}, n.unit, count(*) as copies
    from numbered n
    join several s on s.source = n.source and s.charge_id = n.charge_id
    group by {said}, n.unit
),
again as (
    select {said}, list(n.unit order by n.unit) as units, sum(n.copies) - max(n.copies) as copies
    from in_unit n
    group by {said}
    having count(*) > 1
)
select source, BillingAccountId as billing_account_id, BillingCurrency as billing_currency, units,
       cast(sum(copies) as bigint) as lines,
       cast(sum(billed_cost * copies) as decimal(38, 12)) as billed_cost,
       cast(sum(effective_cost * copies) as decimal(38, 12)) as effective_cost
from again n
group by source, BillingAccountId, BillingCurrency, units
-- what bills nothing bills nothing twice
having sum(abs(billed_cost)) <> 0 or sum(abs(effective_cost)) <> 0
order by sum(abs(billed_cost) * copies) desc, source, billing_account_id, billing_currency, units
