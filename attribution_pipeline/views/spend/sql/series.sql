-- What each tenant and feature cost on each day. Overhead follows every other cost: it is left out, as
-- are charges of earlier days, which their first day only holds.
-- in:  spend_daily
-- out: grain: tenant, feature, currency, day
select tenant_id, feature, billing_currency, charge_date,
       cast(sum({metric}) as decimal(38, 12)) as cost
from spend_daily
where component <> 'overhead' and {of_its_day}
group by tenant_id, feature, billing_currency, charge_date
order by tenant_id nulls last, feature nulls last, billing_currency, charge_date
