-- Spans of billable calls, as the plane needs them.
-- in:  once (grain: one span)
-- out: call_spans (view, grain: one span of a billable call)
create view call_spans as
select
    trace_id, span_id, parent_span_id, service_name, kind, start_unix_nano, end_unix_nano,
    scope_name, scope_version, cluster, namespace, pod, provider, operation_name, model, response_id,
    server_address, account, region, metered, {buckets}, sampling_threshold, attempt, {who},
    originator_id, envelope, parent_issuance_id
from once
where is_call;
