-- Twins merged: one billed call a row, the ones that end on the day or are active on it.
-- in:  calls (grain: one span)
-- out: operations (grain: operation_key)
create table ranked as
select n, operation_key, kind,
       tenant_id is not null as named,
       row_number() over (
           partition by operation_key
           order by
               case when metered then 0 else 1 end,
               -- the caller knows who asked; a server knows when it worked
               case kind when 3 then 0 when 2 then 2 else 1 end,
               end_unix_nano desc, trace_id, span_id
       ) as place
from calls;

create table picks as
select operation_key,
       min(case when named then place end) as named_place,
       min(case when kind = 2 then place end) as server_place,
       min(case when kind is null or kind <> 2 then place end) as caller_place,
       count(*) as spans
from ranked
group by operation_key;

create table twins as
select p.operation_key, string_agg(c.span_id, ' ' order by c.span_id) as merged
from picks p
join ranked r on r.operation_key = p.operation_key and r.place > 1
join calls c on c.n = r.n
where p.spans > 1
group by p.operation_key;

create table operations as
select *,
       greatest(least(active_end_ms, {day_end_ms}) - greatest(active_start_ms, {day_ms}), 0) as active_ms
from (
    select
        p.operation_key, b.trace_id, b.span_id, b.response_id,
        b.start_unix_nano, b.end_unix_nano,
        coalesce(s.start_unix_nano, b.start_unix_nano) // 1000000 as active_start_ms,
        coalesce(s.end_unix_nano, b.end_unix_nano) // 1000000 as active_end_ms,
        b.end_unix_nano >= {day_ms} * 1000000 and b.end_unix_nano < {day_end_ms} * 1000000 as ends_today,
        b.provider, b.model, b.operation_name, b.account, b.region, b.server_address,
        b.metered, {best_buckets},
        b.counted, b.of_sampled, b.counted <> b.of_sampled as estimated, b.attempt,
        o.cluster as caller_cluster, o.namespace as caller_namespace, o.pod as caller_pod,
        s.cluster as serving_cluster, s.namespace as serving_namespace, s.pod as serving_pod,
        {named_who}, i.originator_id,
        case when i.tenant_id is null then 'unknown' else 'attributes' end as identity_source,
        'unsigned' as verdict,
        concat_ws(' ', b.scope_name, b.scope_version) as emitter,
        t.merged
    from picks p
    join ranked rb on rb.operation_key = p.operation_key and rb.place = 1
    join calls b on b.n = rb.n
    join ranked ri on ri.operation_key = p.operation_key and ri.place = coalesce(p.named_place, 1)
    join calls i on i.n = ri.n
    left join ranked rs on rs.operation_key = p.operation_key and rs.place = p.server_place
    left join calls s on s.n = rs.n
    left join ranked ro on ro.operation_key = p.operation_key and ro.place = p.caller_place
    left join calls o on o.n = ro.n
    left join twins t on t.operation_key = p.operation_key
)
where ends_today or (active_start_ms < {day_end_ms} and active_end_ms > {day_ms});
