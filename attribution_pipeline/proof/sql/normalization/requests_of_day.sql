-- Requests of a day by the hour in which they ended, against the ledger of the day.
-- in:  operation_costs (grain: attribution_id, operation), operations (grain: operation; the plane),
--      published (grain: operation that ended on the day), charges (grain: line slice of the day),
--      ledger (grain: attribution_id)
-- out: charge_names (grain: charge), request_hours (grain: hour, tenant, service, currency); rows of
--      sums. Tenant and hour are the operation's own and the service is the bill's: nothing is taken
--      from the ledger that it is compared with, but for one: whom the label of a dedicated workload
--      names is no evidence of the plane. The operation as published says it; of one that ended after
--      the day nothing else does than its row
create table charge_names as
select charge_id, min(ServiceName) as service, min(BillingCurrency) as billing_currency
from charges
group by charge_id;

create table held_rows as
select attribution_id, tenant_id, service, billing_currency
from ledger
where {holds} and basis = 'operations' and settlement <> 'provisional';

create table request_hours as
select hour, tenant_id, service, billing_currency,
       sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost
from (
    select o.end_unix_nano // {hour_ns} as hour, c.service, c.billing_currency,
           r.billed_cost, r.effective_cost,
           case when o.tenant_id is not null then o.tenant_id
                when p.operation_key is null then l.tenant_id
                when p.identity_source = 'workload' then p.tenant_id end as tenant_id
    from operation_costs r
    join operations o on o.operation_key = r.operation_key
    join charge_names c on c.charge_id = r.charge_id
    left join published p on p.operation_key = r.operation_key
    left join ledger l on l.attribution_id = r.attribution_id
    where not exists (select 1 from held_rows h where h.attribution_id = r.attribution_id)
)
group by hour, tenant_id, service, billing_currency;

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
