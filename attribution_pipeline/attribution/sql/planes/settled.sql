-- Which charges are closed, by what, and whether that settles them now.
-- in:  charges (grain: one line, or its slice of the day)
--      billed_periods, period_records (grain: issuer, account, billing period)
-- out: settled (grain: charge); closed_by: close_record, billing_period, invoices, or null: open.
--      closed_at is null where invoices say so: they do not say when
create table settled as
select charge_id, issuer, account, billing_period, closed_at, closed_by,
       closed_by is not null and {settles_us} <= {now_us} as is_settled
from (
    select
        c.charge_id, c.issuer, c.account, c.billing_period,
        case when r.status = 'closed' then r.closed_at end as closed_at,
        case
            when r.status = 'closed' then r.evidence
            -- a month that runs can be invoiced so far: it is closed when it is over
            when r.status is null and p.invoiced_lines = p.lines and c.period_end_us <= {now_us}
            then 'invoices'
        end as closed_by
    from (
        select charge_id, InvoiceIssuerName as issuer, BillingAccountId as account, billing_period,
               max(epoch_us(BillingPeriodEnd)) as period_end_us
        from charges
        group by charge_id, InvoiceIssuerName, BillingAccountId, billing_period
    ) c
    join billed_periods p
        on p.issuer = c.issuer and p.account = c.account and p.billing_period = c.billing_period
    left join period_records r
        on r.issuer = c.issuer and r.account = c.account and r.billing_period = c.billing_period
) found;
