-- Calls behind some outcomes, in the order in which they ran.
-- in:  links, published, costs (relations of `views.outcomes`)
-- out: grain: outcome, call, currency; the common tail
select l.outcome_number, p.charge_date, p.operation_number, p.started_at, p.model, p.agent,
    c.billing_currency,
    {tail}
from links l
join published p on p.charge_date = l.charge_date and p.operation_number = l.operation_number
left join costs c on c.charge_date = l.charge_date and c.operation_number = l.operation_number
where l.outcome_number in ({outcomes})
group by l.outcome_number, p.charge_date, p.operation_number, p.started_at, p.model, p.agent,
    c.billing_currency
order by l.outcome_number, p.started_at, p.operation_number, p.charge_date, c.billing_currency
