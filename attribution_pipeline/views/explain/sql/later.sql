-- What was recorded after the states that are compared, by why.
-- in:  later_revisions (grain: one change of one row), standing_ledger (period, attribution_id): as
--      it stands after them
-- out: one row per period, tenant, workflow, model, currency and cause
select r.period, l.tenant_id, l.workflow_id, l.model, l.billing_currency, r.cause,
       sum(r.delta_{metric}) as cost
from later_revisions r
join (select * from standing_ledger where {tenant}) l
    on l.period = r.period and l.attribution_id = r.attribution_id
group by r.period, l.tenant_id, l.workflow_id, l.model, l.billing_currency, r.cause
