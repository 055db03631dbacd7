-- What a place costs beside its calls: shares of what many use, by the charge that they are paid from.
-- in:  ledger of the day
-- out: grain: component, service, resource, pool, charge
select component, service, resource_id, pool, driver, charge_id, billing_currency,
       {tail}
from ledger
where basis <> 'operations' and {where}
group by component, service, resource_id, pool, driver, charge_id, billing_currency
having sum({metric}) <> 0 or sum(billed_cost) <> 0
order by sum({metric}) desc, component, charge_id
