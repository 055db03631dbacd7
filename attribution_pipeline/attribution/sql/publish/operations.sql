-- The operations that ended on the day, in the published shape.
-- in:  {ops} (grain: operation, with its number)
-- out: published_operations (same grain); not published: place, the file that a row goes into, and
--      end_unix_nano
create {relation} published_operations as
select
    operation_number, {named_by} as named_by,
    case when {named_by} is null then operation_key end as operation_key,
    trace_id, span_id, response_id,
    make_timestamptz(start_unix_nano // 1000) as started_at,
    make_timestamptz(end_unix_nano // 1000) as ended_at,
    active_ms, provider, model, operation_name, {buckets},
    metered, estimated, attempt,
    case when caller_pod is not null
         then concat_ws('/', caller_cluster, caller_namespace, caller_pod) end as caller_pod,
    case when serving_pod is not null
         then concat_ws('/', serving_cluster, serving_namespace, serving_pod) end as serving_pod,
    {who}, originator_id, identity_source, verdict, issuance_id, parent_issuance_id, emitter,
    merged,
    {place} as place, end_unix_nano
from {ops}
where ends_today;
