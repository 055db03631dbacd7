-- Billing periods of accounts, and how many of their standing lines carry an invoice.
-- in:  standing_lines (grain: one FOCUS row)
-- out: billed_periods (grain: issuer, account, billing period by its first day)
create table billed_periods as
select issuer, account, billing_period,
       max(BillingPeriodEnd) as BillingPeriodEnd, count(*) as lines, count(InvoiceId) as invoiced_lines
from (
    select
        InvoiceIssuerName as issuer,
        BillingAccountId as account,
        cast(make_date(cast(epoch_us(BillingPeriodStart) // {day_us} as integer)) as date) as billing_period,
        BillingPeriodEnd,
        InvoiceId
    from standing_lines
) l
group by issuer, account, billing_period;
