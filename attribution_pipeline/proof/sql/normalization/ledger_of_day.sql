-- The ledger of a day against the bill that it divides.
-- in:  charges (grain: line slice of the day), ledger (grain: attribution_id)
-- out: rows of sums
insert into sums
select '{pair}', 'finer', 'ledger', null, service, billing_currency,
       cast(sum(billed_cost) as decimal(38, 12)), cast(sum(effective_cost) as decimal(38, 12))
from ledger
group by service, billing_currency;

insert into sums
select '{pair}', 'coarser', 'bill', null, ServiceName, BillingCurrency,
       cast(sum(billed_cost) as decimal(38, 12)), cast(sum(effective_cost) as decimal(38, 12))
from charges
group by ServiceName, BillingCurrency;
