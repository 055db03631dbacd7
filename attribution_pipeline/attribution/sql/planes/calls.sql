-- Spans around the day, each (trace, span) once; the billable calls among them.
-- in:  landed_spans (grain: one span as delivered), thresholds (sampling_threshold, counted, of_sampled)
-- out: repeated (grain: span that came more than once), once (view, grain: one span, every column),
--      around (view, same grain, what identity needs of it), calls (grain: one span of a billable
--      call); n is a row number, not an order; is_named: its response id names one call
create view delivered as
select * exclude (source, object_id, position)
from landed_spans
where end_unix_nano >= {from_ns} and start_unix_nano < {to_ns};

-- delivery is at least once: most spans come once, so only the repeated ones are sorted
create table repeated as
select trace_id, span_id, count(*) as deliveries
from delivered
group by trace_id, span_id
having count(*) > 1;

create table winners as
select * exclude (place)
from (
    select *, row_number() over (
        partition by trace_id, span_id order by end_unix_nano desc, content desc) as place
    from (
        select d.*, sha256(concat_ws(chr(31), {content})) as content
        from delivered d
        join repeated r on r.trace_id = d.trace_id and r.span_id = d.span_id
    )
)
where place = 1;

create view once as
select d.* from delivered d
where not exists (
    select 1 from repeated r where r.trace_id = d.trace_id and r.span_id = d.span_id)
union all
select * exclude (content) from winners;

create view around as
select trace_id, span_id, parent_span_id, links, service_name, kind, is_call,
       start_unix_nano, end_unix_nano, {who}, originator_id, envelope, {run}, attempt,
       parent_issuance_id, attributes
from once;

create table calls as
select row_number() over () as n, c.*,
       case when is_named then coalesce(provider, '') || chr(31) || response_id
            else trace_id || ':' || span_id end as operation_key,
       coalesce(t.counted, 1) as counted,
       coalesce(t.of_sampled, 1) as of_sampled
from (
    select
        trace_id, span_id, parent_span_id, links, service_name, kind, start_unix_nano,
        end_unix_nano, scope_name, scope_version, cluster, namespace, pod, provider,
        operation_name, model, response_id, server_address, account, region, metered, {buckets},
        sampling_threshold, attempt, {who}, originator_id, envelope, {run}, parent_issuance_id,
        -- Ollama draws its ids from a thousand: they name no call
        response_id is not null
            and not (response_id like 'chatcmpl-%' and length(response_id) <= {ollama_length})
            as is_named
    from once
    where is_call
) c
left join thresholds t on t.sampling_threshold = c.sampling_threshold;
