-- Invariants 1, 3 and 7 over a day's rows. No row is good news; each row is a breach.
-- in:  charge_lines (grain: line slice), ledger (grain: attribution_id),
--      operation_costs (grain: attribution_id, operation)
-- out: invariant, subject, detail
select 'charge' as invariant, charge_id as subject,
       'bill ' || cast(billed as varchar) || ' / ' || cast(effective as varchar)
       || ', ledger ' || cast(ledger_billed as varchar) || ' / ' || cast(ledger_effective as varchar) as detail
from (
    select coalesce(b.charge_id, l.charge_id) as charge_id,
           coalesce(b.billed, 0) as billed, coalesce(b.effective, 0) as effective,
           coalesce(l.billed, 0) as ledger_billed, coalesce(l.effective, 0) as ledger_effective
    from (select charge_id, sum(billed_cost) as billed, sum(effective_cost) as effective
          from charge_lines group by charge_id) b
    full join (select charge_id, sum(billed_cost) as billed, sum(effective_cost) as effective
               from ledger group by charge_id) l on l.charge_id = b.charge_id
)
where billed <> ledger_billed or effective <> ledger_effective
union all
select 'account', account, 'bill ' || cast(billed as varchar) || ', ledger ' || cast(ledger_billed as varchar)
from (
    select b.account || ' ' || b.currency as account, b.billed, coalesce(l.billed, 0) as ledger_billed
    from (select BillingAccountId as account, BillingCurrency as currency, sum(billed_cost) as billed
          from charge_lines group by BillingAccountId, BillingCurrency) b
    left join (select billing_account_id as account, billing_currency as currency, sum(billed_cost) as billed
               from ledger group by billing_account_id, billing_currency) l
        on l.account = b.account and l.currency = b.currency
)
where billed <> ledger_billed
union all
select 'operation_costs', attribution_id,
       'ledger ' || cast(billed as varchar) || ' / ' || cast(effective as varchar)
       || ', requests ' || cast(request_billed as varchar) || ' / ' || cast(request_effective as varchar)
from (
    select coalesce(l.attribution_id, r.attribution_id) as attribution_id,
           coalesce(l.billed_cost, 0) as billed, coalesce(l.effective_cost, 0) as effective,
           coalesce(r.billed, 0) as request_billed, coalesce(r.effective, 0) as request_effective
    from (select attribution_id, billed_cost, effective_cost from ledger where basis = 'operations') l
    full join (select attribution_id, sum(billed_cost) as billed, sum(effective_cost) as effective
               from operation_costs group by attribution_id) r on r.attribution_id = l.attribution_id
)
where billed <> request_billed or effective <> request_effective
union all
select 'evidence', attribution_id, 'tenant ' || coalesce(tenant_id, 'null') || ', reason ' || coalesce(unallocated_reason, 'null')
from ledger
where (tenant_id is null) <> (unallocated_reason is not null)
   or (unallocated_reason is null) <> (confidence <> 'unallocated')
union all
select 'identity', attribution_id, 'stands ' || cast(count(*) as varchar) || ' times'
from ledger group by attribution_id having count(*) > 1
order by invariant, subject
