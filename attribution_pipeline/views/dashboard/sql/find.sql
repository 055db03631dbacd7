-- Calls that answer to an id, newest first.
-- in:  operations of some days, with charge_date
-- out: grain: operation
select charge_date, operation_number, started_at, provider, model, tenant_id, feature, workflow_id,
       trace_id, span_id, response_id, {named} as found_by
from operations
where {wanted}
order by started_at desc, operation_number desc
limit {most}
