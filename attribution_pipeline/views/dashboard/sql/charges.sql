-- Charges of one day inside a place: what each of them has of its cost, whoever carries it.
-- in:  ledger of the day
-- out: grain: component, service, resource, charge, reason
select component, service, resource_id, charge_id, unallocated_reason, billing_currency,
       {tail}
from ledger
where {where}
group by component, service, resource_id, charge_id, unallocated_reason, billing_currency
having sum({metric}) <> 0 or sum(billed_cost) <> 0
order by sum({metric}) desc, component, charge_id
