-- What calls used, by cell: firsts are attempts that tried nothing again.
-- in:  calls (grain: period, operation_key)
-- out: one row per period, tenant, workflow, provider and model
select period, tenant_id, workflow_id, provider, model,
       cast(sum(case when attempt <= 1 then stands_for else 0 end) as hugeint) as firsts,
       cast(sum(stands_for) as hugeint) as attempts, {sums}
from calls
group by period, tenant_id, workflow_id, provider, model
