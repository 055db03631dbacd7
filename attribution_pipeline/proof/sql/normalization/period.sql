-- A month's billing periods as they were delivered, against the days that they stand on.
-- in:  standing_lines (grain: one delivered FOCUS row), bill_today (grain: day, service, currency; what
--      stands now, cut into days), recorded_bill, recorded_ledger (grain: day, tenant, service, currency),
--      recorded_days (charge_date), moved_days (charge_date): recorded from other evidence
-- out: rows of sums
insert into sums
select p.pair, 'coarser', 'billing period', null, ServiceName, BillingCurrency,
       cast(sum(BilledCost) as decimal(38, 12)), cast(sum(EffectiveCost) as decimal(38, 12))
from standing_lines
cross join (select '{bill_pair}' as pair union all select '{ledger_pair}') p
where date_trunc('month', make_date(cast(epoch_us(BillingPeriodStart) // {day_us} as integer)))
      = date '{month}'
group by p.pair, ServiceName, BillingCurrency;

insert into sums
select p.pair, 'named',
       case when b.charge_date > date '{newest}' then 'not_yet_due' else 'not_recorded' end,
       null, b.service, b.billing_currency,
       cast(sum(b.billed_cost) as decimal(38, 12)), cast(sum(b.effective_cost) as decimal(38, 12))
from bill_today b
cross join (select '{bill_pair}' as pair union all select '{ledger_pair}') p
where b.charge_date not in (select charge_date from recorded_days)
group by p.pair, case when b.charge_date > date '{newest}' then 'not_yet_due' else 'not_recorded' end,
         b.service, b.billing_currency;

-- what the bill says of a day now, less what it said when the day was recorded
insert into sums
select p.pair, 'named', 'moved_since', null, m.service, m.billing_currency,
       cast(sum(m.billed_cost) as decimal(38, 12)), cast(sum(m.effective_cost) as decimal(38, 12))
from (
    select charge_date, service, billing_currency, billed_cost, effective_cost from bill_today
    union all
    select charge_date, service, billing_currency, -billed_cost, -effective_cost from recorded_bill
) m
cross join (select '{bill_pair}' as pair union all select '{ledger_pair}') p
where m.charge_date in (select charge_date from moved_days)
group by p.pair, m.service, m.billing_currency;

insert into sums
select '{bill_pair}', 'finer', 'days', null, service, billing_currency,
       cast(sum(billed_cost) as decimal(38, 12)), cast(sum(effective_cost) as decimal(38, 12))
from recorded_bill
group by service, billing_currency;

insert into sums
select '{ledger_pair}', 'finer', 'days', null, service, billing_currency,
       cast(sum(billed_cost) as decimal(38, 12)), cast(sum(effective_cost) as decimal(38, 12))
from recorded_ledger
group by service, billing_currency;

insert into sums
select '{request_pair}', 'named', no_requests, tenant_id, service, billing_currency,
       cast(sum(billed_cost) as decimal(38, 12)), cast(sum(effective_cost) as decimal(38, 12))
from recorded_ledger
where not has_requests
group by no_requests, tenant_id, service, billing_currency;

insert into sums
select '{request_pair}', 'coarser', 'days', tenant_id, service, billing_currency,
       cast(sum(billed_cost) as decimal(38, 12)), cast(sum(effective_cost) as decimal(38, 12))
from recorded_ledger
group by tenant_id, service, billing_currency;
