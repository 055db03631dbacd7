-- The close record that speaks for an account's billing period.
-- What people say outranks the vendor's BillingPeriod dataset: a vendor that has not closed yet does
-- not undo what finance closed, and what finance opened again stays open. Of one rank the newest stands.
-- in:  billed_periods (grain: issuer, account, billing period)
--      landed_closes (grain: one close record; account null: every account of the issuer)
-- out: period_records (grain: issuer, account, billing period; those of which a record speaks)
create table period_records as
select issuer, account, billing_period, evidence, status, closed_at
from (
    select
        p.issuer, p.account, p.billing_period, r.evidence, r.status, r.closed_at,
        row_number() over (
            partition by p.issuer, p.account, p.billing_period
            order by case when r.evidence = 'close_record' then 0 else 1 end,
                     r.closed_us desc, r.content desc
        ) as place
    from billed_periods p
    join (
        select evidence, issuer, account, billing_period, status, closed_at,
               epoch_us(closed_at) as closed_us,
               sha256(concat_ws(chr(31), status, coalesce(account, {null}), coalesce(closed_by, {null}),
                                coalesce(note, {null}), coalesce(x_columns, {null}))) as content
        from landed_closes
    ) r
        on r.issuer = p.issuer
        and r.billing_period = p.billing_period
        and (r.account is null or r.account = p.account)
) ranked
where place = 1;
