-- Spans of billable calls around the day, each (trace, span) once.
-- in:  landed_spans (grain: one span as delivered), thresholds (sampling_threshold, counted, of_sampled)
-- out: calls (grain: one span); n is a row number, not an order
create table delivered as
select
    trace_id, span_id, kind, start_unix_nano, end_unix_nano, scope_name, scope_version, cluster,
    namespace, pod, provider, operation_name, model, response_id, server_address, account, region,
    metered, {buckets}, sampling_threshold, attempt, {who}, originator_id
from landed_spans
where is_call and end_unix_nano >= {from_ns} and start_unix_nano < {to_ns};

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

create table calls as
select row_number() over () as n, c.*,
       case when response_id is null then trace_id || ':' || span_id
            else coalesce(provider, '') || chr(31) || response_id end as operation_key,
       coalesce(t.counted, 1) as counted,
       coalesce(t.of_sampled, 1) as of_sampled
from (
    select d.* from delivered d
    where not exists (
        select 1 from repeated r where r.trace_id = d.trace_id and r.span_id = d.span_id)
    union all
    select * exclude (content) from winners
) c
left join thresholds t on t.sampling_threshold = c.sampling_threshold;
