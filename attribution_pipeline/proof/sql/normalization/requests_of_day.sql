-- Requests of a day by the hour in which they ended, against the ledger of the day.
-- in:  operation_costs (grain: attribution_id, operation), operations (grain: operation; the plane),
--      charges (grain: line slice of the day), ledger (grain: attribution_id)
-- out: charge_names (grain: charge), request_hours (grain: hour, tenant, service, currency); rows of
--      sums. Tenant and hour are the operation's own and the service is the bill's: nothing is taken
--      from the ledger that it is compared with
create table charge_names as
select charge_id, min(ServiceName) as service, min(BillingCurrency) as billing_currency
from charges
group by charge_id;

create table held_rows as
select attribution_id, tenant_id, service, billing_currency
from ledger
where {holds} and basis = 'operations' and settlement <> 'provisional';

create table request_hours as
select o.end_unix_nano // {hour_ns} as hour, o.tenant_id, c.service, c.billing_currency,
       sum(r.billed_cost) as billed_cost, sum(r.effective_cost) as effective_cost
from operation_costs r
join operations o on o.operation_key = r.operation_key
join charge_names c on c.charge_id = r.charge_id
where not exists (select 1 from held_rows h where h.attribution_id = r.attribution_id)
group by o.end_unix_nano // {hour_ns}, o.tenant_id, c.service, c.billing_currency;

insert into sums
select '{pair}', 'finer', 'hours', tenant_id, service, billing_currency,
       cast(sum(billed_cost) as decimal(38, 12)), cast(sum(effective_cost) as decimal(38, 12))
from request_hours
group by tenant_id, service, billing_currency;

-- requests of a period that is held are those of the day as it was closed, not of today's evidence
insert into sums
select '{pair}', 'named', 'held', h.tenant_id, h.service, h.billing_currency,
       cast(sum(r.billed_cost) as decimal(38, 12)), cast(sum(r.effective_cost) as decimal(38, 12))
from operation_costs r
join held_rows h on h.attribution_id = r.attribution_id
group by h.tenant_id, h.service, h.billing_currency;

insert into sums
select '{pair}', 'named', {no_requests}, tenant_id, service, billing_currency,
       cast(sum(billed_cost) as decimal(38, 12)), cast(sum(effective_cost) as decimal(38, 12))
from ledger
where basis <> 'operations'
group by {no_requests}, tenant_id, service, billing_currency;

insert into sums
select '{pair}', 'coarser', 'day', tenant_id, service, billing_currency,
       cast(sum(billed_cost) as decimal(38, 12)), cast(sum(effective_cost) as decimal(38, 12))
from ledger
group by tenant_id, service, billing_currency;
