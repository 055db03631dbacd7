-- Where one charge went: everything that the ledger made of it.
-- in:  ledger of the day
-- out: grain: component, tenant, feature, workflow, reason, confidence, settlement, policy
select component, tenant_id, feature, workflow_id, unallocated_reason, confidence, settlement,
       cast(policy_version as varchar) as policy_versions, billing_currency,
       count(*) as ledger_rows,
       cast(sum(billed_cost) as decimal(38, 12)) as billed_cost,
       cast(sum(effective_cost) as decimal(38, 12)) as effective_cost
from ledger
where charge_id = {charge}
group by all
order by sum({metric}) desc, component, tenant_id nulls last, feature nulls last,
         workflow_id nulls last, unallocated_reason nulls last, confidence, settlement,
         policy_versions
