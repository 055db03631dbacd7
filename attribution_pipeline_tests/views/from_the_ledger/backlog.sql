-- What nobody can be charged for, by what one would have to mend. Overhead rides on other costs and
-- goes with them, so it is left out. No label mends charges of earlier days.
-- in:  ledger
-- out: grain: reason, service, resource, model, pool, currency
select
    unallocated_reason, service, resource_id, model, pool,
    count(distinct charge_id) as charges,
    billing_currency,
    {tail}
from ledger
where unallocated_reason is not null and unallocated_reason <> 'rounding'
  and component <> 'overhead' and coalesce(unallocated_reason, '') <> 'outside_range'
group by unallocated_reason, service, resource_id, model, pool, billing_currency
having sum({metric}) <> 0
order by {order}, unallocated_reason, service, resource_id nulls last, model nulls last,
         pool nulls last, billing_currency
