-- Twins merged: one billed call a row, the ones that end on the day or are active on it.
-- in:  calls (grain: one span of a billable call), ranked (same grain),
--      identities (grain: operation_key)
-- out: operations (grain: operation_key)
create table picks as
select operation_key,
       -- where a gateway and a model server both answer, the model server served
       coalesce(min(case when kind = 2 and not is_gateway then place end),
                min(case when kind = 2 then place end)) as server_place,
       min(case when kind is null or kind <> 2 then place end) as caller_place,
       count(*) as spans
from ranked
group by operation_key;

-- what the best span leaves unsaid its twins may say; whom a gateway called it knows better than its
-- client, whose SDK names itself
create table twins as
select operation_key,
       string_agg(case when place > 1 then span_id end, ' ' order by span_id) as merged,
       min(case when place > 1 then response_id end) as response_id,
       arg_min(provider, case when provider is not null then route_place end) as provider,
       arg_min(model, case when model is not null then route_place end) as model,
       arg_min(account, case when account is not null then route_place end) as account,
       arg_min(region, case when region is not null then route_place end) as region,
       arg_min(server_address, case when server_address is not null then route_place end)
           as server_address
from (
    select r.operation_key, r.place, c.span_id, c.response_id, c.provider, c.model, c.account,
           c.region, c.server_address,
           case when r.is_gateway and c.provider <> b.provider then r.place - p.spans else r.place end
               as route_place
    from picks p
    join ranked r on r.operation_key = p.operation_key
    join calls c on c.n = r.n
    join ranked rb on rb.operation_key = p.operation_key and rb.place = 1
    join calls b on b.n = rb.n
    where p.spans > 1
)
group by operation_key;

create table operations as
select *,
       greatest(least(active_end_ms, {day_end_ms}) - greatest(active_start_ms, {day_ms}), 0) as active_ms
from (
    select
        p.operation_key, b.trace_id, b.span_id, coalesce(b.response_id, t.response_id) as response_id,
        b.start_unix_nano, b.end_unix_nano,
        coalesce(s.start_unix_nano, b.start_unix_nano) // 1000000 as active_start_ms,
        coalesce(s.end_unix_nano, b.end_unix_nano) // 1000000 as active_end_ms,
        b.end_unix_nano >= {day_ms} * 1000000 and b.end_unix_nano < {day_end_ms} * 1000000 as ends_today,
        coalesce(t.provider, b.provider) as provider, coalesce(t.model, b.model) as model,
        b.operation_name, coalesce(t.account, b.account) as account,
        coalesce(t.region, b.region) as region,
        coalesce(t.server_address, b.server_address) as server_address,
        b.metered, {best_buckets},
        b.counted, b.of_sampled, b.counted <> b.of_sampled as estimated, i.attempt,
        o.cluster as caller_cluster, o.namespace as caller_namespace, o.pod as caller_pod,
        s.cluster as serving_cluster, s.namespace as serving_namespace, s.pod as serving_pod,
        {named_who}, i.originator_id, i.identity_source, i.verdict, i.issuance_id, i.parent_issuance_id,
        i.tenant_id is null and i.identity_source <> 'unknown' as unverified,
        concat_ws(' ', b.scope_name, b.scope_version) as emitter,
        t.merged
    from picks p
    join identities i on i.operation_key = p.operation_key
    join ranked rb on rb.operation_key = p.operation_key and rb.place = 1
    join calls b on b.n = rb.n
    left join ranked rs on rs.operation_key = p.operation_key and rs.place = p.server_place
    left join calls s on s.n = rs.n
    left join ranked ro on ro.operation_key = p.operation_key and ro.place = p.caller_place
    left join calls o on o.n = ro.n
    left join twins t on t.operation_key = p.operation_key
)
where ends_today or (active_start_ms < {day_end_ms} and active_end_ms > {day_ms});
