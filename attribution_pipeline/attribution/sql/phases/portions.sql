-- Lines of one charge that one rule takes and that carry the same tags and principal: what is divided.
-- in:  lines (grain: line slice of the day; match_key, quanta), matched (match_key, assignment_id)
-- out: portions (grain: charge, tag set with principal, assignment), amounts in quanta
create table portions as
select
    row_number() over (order by charge_id, tag_set, assignment_id) as portion_id, *
from (
    select
        l.charge_id,
        l.tag_set,
        m.assignment_id,
        min(l.billing_period) as billing_period,
        min(coalesce(l.ServiceProviderName, l.ProviderName)) as provider,
        min(l.ServiceName) as service,
        min(l.InvoiceIssuerName) as issuer,
        min(l.BillingAccountId) as billing_account_id,
        min(l.SubAccountId) as sub_account_id,
        min(l.PrincipalId) as principal_id,
        min(coalesce(l.SubAccountId, l.BillingAccountId)) as account,
        min(l.ResourceId) as resource_id,
        min(l.RegionId) as region,
        min(l.ChargeCategory) as charge_category,
        min(l.ChargeClass) as charge_class,
        min(l.CommitmentDiscountStatus) as commitment_status,
        min(l.BillingCurrency) as billing_currency,
        cast(sum(l.billed) as {int}) as billed,
        cast(sum(l.effective) as {int}) as effective,
        cast(sum(l.list) as {int}) as list
    from lines l
    join matched m on m.match_key = l.match_key
    group by l.charge_id, l.tag_set, m.assignment_id
);
