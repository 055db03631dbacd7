-- Calls behind one outcome, in the order in which they ran.
-- in:  links, published, costs (relations of `views.outcomes`)
-- out: grain: call, currency; the common tail
select p.charge_date, p.operation_number, p.started_at, p.model, p.agent, c.billing_currency,
    {tail}
from links l
join published p on p.charge_date = l.charge_date and p.operation_number = l.operation_number
left join costs c on c.charge_date = l.charge_date and c.operation_number = l.operation_number
where l.outcome_number = {outcome}
group by p.charge_date, p.operation_number, p.started_at, p.model, p.agent, c.billing_currency
order by p.started_at, p.operation_number
