-- What each tenant and feature cost on each day. Overhead follows every other cost: it is left out, as
-- are charges of earlier days, which their first day only holds.
-- in:  ledger
-- out: grain: tenant, feature, currency, day
select tenant_id, feature, billing_currency, charge_date,
       cast(sum({metric}) as decimal(38, 12)) as cost
from ledger
where component <> 'overhead' and coalesce(unallocated_reason, '') <> 'outside_range'
group by tenant_id, feature, billing_currency, charge_date
order by tenant_id nulls last, feature nulls last, billing_currency, charge_date
