-- Ledger rows of both periods, each under the part of the change that it belongs to.
-- in:  ledger (grain: period, attribution_id); period 0 is the against-period, 1 this one
-- out: told (same grain), without rows at zero
create table told as
select period, attribution_id, tenant_id, workflow_id, model, token_kind, billing_currency,
       case when not {of_its_day} then 'before_first_day'
            when unallocated_reason is not null then 'unallocated'
            when charge_class = 'Correction' then 'correction'
            when charge_category = 'Credit' then 'credit'
            when component = 'direct' and basis = 'operations' and token_kind is not null
                then 'metered'
            when component = 'workload' and basis = 'operations' then {machines}
            when component = 'direct' then 'other_direct'
            else component end as part,
       {metric} as cost
from ledger
where {metric} <> 0 and {tenant};
