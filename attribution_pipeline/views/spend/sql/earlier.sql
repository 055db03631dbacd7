-- Charges from before the ledger's first day, which are booked on it: in no view of what to label.
-- in:  resources_daily
-- out: grain: currency
select billing_currency, cast(sum({metric}) as decimal(38, 12)) as cost
from resources_daily
where not {of_its_day}
group by billing_currency
having sum({metric}) <> 0
order by billing_currency
