-- Twins merged: one billed call a row, the ones that end on the day or are active on it.
-- in:  calls (grain: one span of a billable call), ranked (grain: one span of a call of several),
--      picks, lineage (grain: call of several), identities (grain: call, by its best span)
-- out: twins (grain: call of several, by its best span), billed ({relation}, grain: operation_key)

-- what the best span leaves unsaid its twins may say; whom a gateway called it knows better than its
-- client, whose SDK names itself
create table said_by_twins as
select call_no,
       min(case when place > 1 then span_id end) as other,
       min(case when place > 1 then response_id end) as response_id,
       arg_min(provider, case when provider is not null then route_place end) as provider,
       arg_min(model, case when model is not null then route_place end) as model,
       arg_min(account, case when account is not null then route_place end) as account,
       arg_min(region, case when region is not null then route_place end) as region,
       arg_min(server_address, case when server_address is not null then route_place end)
           as server_address
from (
    select r.call_no, r.place, c.span_id, c.response_id, c.provider, c.model, c.account, c.region,
           c.server_address,
           case when r.is_gateway and c.provider <> b.provider then r.place - p.spans else r.place end
               as route_place
    from picks p
    join ranked r on r.call_no = p.call_no
    join calls c on c.n = r.n
    join calls b on b.n = p.best
)
group by call_no;

-- in order, which takes long: for the few calls of three spans and more
create table others as
select r.call_no, string_agg(c.span_id, ' ' order by c.span_id) as spans
from picks p
join ranked r on r.call_no = p.call_no
join calls c on c.n = r.n
where p.spans > 2 and r.place > 1
group by r.call_no;

create table twins as
select p.best as n, t.*, coalesce(a.spans, t.other) as merged,
       s.start_unix_nano as served_from, s.end_unix_nano as served_to,
       s.cluster as serving_cluster, s.namespace as serving_namespace, s.pod as serving_pod,
       o.cluster as caller_cluster, o.namespace as caller_namespace, o.pod as caller_pod,
       l.attempt, l.parent_issuance_id
from picks p
join said_by_twins t on t.call_no = p.call_no
left join others a on a.call_no = p.call_no
left join calls s on s.n = p.server
left join calls o on o.n = p.caller
left join lineage l on l.call_no = p.call_no;

drop table said_by_twins;

drop table others;

create {relation} billed as
select *,
       greatest(least(active_end_ms, {day_end_ms}) - greatest(active_start_ms, {day_ms}), 0) as active_ms
from (
    select
        b.operation_key, b.trace_id, b.span_id, coalesce(b.response_id, t.response_id) as response_id,
        b.start_unix_nano, b.end_unix_nano,
        coalesce(t.served_from, b.start_unix_nano) // 1000000 as active_start_ms,
        coalesce(t.served_to, b.end_unix_nano) // 1000000 as active_end_ms,
        b.end_unix_nano >= {day_ms} * 1000000 and b.end_unix_nano < {day_end_ms} * 1000000 as ends_today,
        coalesce(t.provider, b.provider) as provider, coalesce(t.model, b.model) as model,
        b.operation_name, coalesce(t.account, b.account) as account,
        coalesce(t.region, b.region) as region,
        coalesce(t.server_address, b.server_address) as server_address,
        b.metered, {best_buckets},
        b.counted, b.of_sampled, b.counted <> b.of_sampled as estimated,
        case when t.n is not null then t.attempt else b.attempt end as attempt,
        -- a span alone: of a server it says where the call was served, else where it was made
        case when t.n is not null then t.caller_cluster
             when b.kind is null or b.kind <> 2 then b.cluster end as caller_cluster,
        case when t.n is not null then t.caller_namespace
             when b.kind is null or b.kind <> 2 then b.namespace end as caller_namespace,
        case when t.n is not null then t.caller_pod
             when b.kind is null or b.kind <> 2 then b.pod end as caller_pod,
        case when t.n is not null then t.serving_cluster when b.kind = 2 then b.cluster end
            as serving_cluster,
        case when t.n is not null then t.serving_namespace when b.kind = 2 then b.namespace end
            as serving_namespace,
        case when t.n is not null then t.serving_pod when b.kind = 2 then b.pod end as serving_pod,
        {named_who},
        case when i.n is not null then i.identity_source when not ({speaks}) then 'unknown'
             when b.speaks = 'attributes' then 'attributes' else 'envelope' end as identity_source,
        case when i.n is not null then i.verdict else b.verdict end as verdict,
        case when i.n is not null then i.issuance_id else b.issuance_id end as issuance_id,
        case when t.n is not null then t.parent_issuance_id else b.parent_issuance_id end
            as parent_issuance_id,
        case when i.n is not null then i.tenant_id is null else ({speaks}) and b.tenant_id is null end
            as unverified,
        concat_ws(' ', b.scope_name, b.scope_version) as emitter,
        t.merged
    from calls b
    left join twins t on t.n = b.n
    left join identities i on i.n = b.n
    where b.n not in (select n from ranked where place > 1)
) o
where ends_today or (active_start_ms < {day_end_ms} and active_end_ms > {day_ms});
