-- What one recorded day adds to its billing period: the bill, the ledger, its requests.
-- in:  charges_{n} (grain: line slice of the day), ledger_{n} (grain: attribution_id),
--      operation_costs_{n} (grain: attribution_id, operation)
-- out: recorded_bill, recorded_ledger (grain: day, tenant, service, currency), rows of sums
insert into recorded_bill
select date '{day}', ServiceName, BillingCurrency, sum(billed_cost), sum(effective_cost)
from charges_{n}
where date_trunc('month', billing_period) = date '{month}'
group by ServiceName, BillingCurrency;

insert into recorded_ledger
select date '{day}', tenant_id, service, billing_currency, basis = 'operations',
       {no_requests}, sum(billed_cost), sum(effective_cost)
from ledger_{n}
where date_trunc('month', billing_period) = date '{month}'
group by tenant_id, service, billing_currency, basis = 'operations', {no_requests};

insert into sums
select '{pair}', 'finer', 'requests', l.tenant_id, l.service, l.billing_currency,
       cast(sum(r.billed_cost) as decimal(38, 12)), cast(sum(r.effective_cost) as decimal(38, 12))
from operation_costs_{n} r
join ledger_{n} l on l.attribution_id = r.attribution_id
where date_trunc('month', l.billing_period) = date '{month}'
group by l.tenant_id, l.service, l.billing_currency;
