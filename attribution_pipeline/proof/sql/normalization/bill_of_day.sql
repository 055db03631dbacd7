-- The bill of a day: by hour as it was delivered, by day as the ledger was computed from it.
-- in:  standing_lines (grain: one delivered FOCUS row), charges (grain: line slice of the day)
-- out: bill_hours (grain: hour, service, currency); rows of sums
create table bill_hours as
select start_us // {hour_us} as hour, ServiceName as service,
       BillingCurrency as billing_currency,
       sum(BilledCost) as billed_cost, sum(EffectiveCost) as effective_cost
from standing_lines
where start_us >= {day_us} and start_us < {day_end_us} and end_us - start_us <= {hour_us}
group by start_us // {hour_us}, ServiceName, BillingCurrency;

insert into sums
select '{pair}', 'finer', 'hours', null, service, billing_currency,
       cast(sum(billed_cost) as decimal(38, 12)), cast(sum(effective_cost) as decimal(38, 12))
from bill_hours
group by service, billing_currency;

insert into sums
select '{pair}', 'named',
       case when outside_range then 'outside_range' else 'longer_than_an_hour' end,
       null, ServiceName, BillingCurrency,
       cast(sum(billed_cost) as decimal(38, 12)), cast(sum(effective_cost) as decimal(38, 12))
from charges
where outside_range
    or epoch_us(ChargePeriodEnd) - epoch_us(ChargePeriodStart) > {hour_us}
group by case when outside_range then 'outside_range' else 'longer_than_an_hour' end,
         ServiceName, BillingCurrency;

insert into sums
select '{pair}', 'coarser', 'day', null, ServiceName, BillingCurrency,
       cast(sum(billed_cost) as decimal(38, 12)), cast(sum(effective_cost) as decimal(38, 12))
from charges
group by ServiceName, BillingCurrency;
