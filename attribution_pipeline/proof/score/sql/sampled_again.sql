-- Sampled operation-charges beside what landed objects give today.
-- in:  sample (grain: charge_date, attribution_id, operation), derived (the same grain)
-- out: the same grain; again: both costs to the quantum
select s.billing_currency, s.provider, s.model, s.surface, s.charge_date, s.attribution_id,
       s.operation_key, s.billed_cost, s.effective_cost,
       d.billed_cost as derived_billed_cost, d.effective_cost as derived_effective_cost,
       coalesce(d.billed_cost = s.billed_cost and d.effective_cost = s.effective_cost, false) as again
from sample s
left join derived d on d.charge_date = s.charge_date and d.attribution_id = s.attribution_id
    and d.operation_key = s.operation_key
order by again, s.charge_date, s.attribution_id, s.operation_key
