-- Calls that may be told twice without a response id that says so.
-- in:  calls (grain: one span of a billable call), once (grain: one span), scopes (grain: scope, version)
-- out: suspects (grain: one span of a call): every call of a trace in which a call without a response id
--      meets another one with as many input tokens, or one of another recorder where one lacks usage;
--      steps (grain: one span that is no call, of those traces), climbing (n, trace_id, at),
--      nested (outer_n, inner_n), found_keys (n, operation_key, reason)
create or replace table doubtful as
select distinct trace_id
from (
    select trace_id
    from (
        select c.trace_id, c.is_named,
               c.uncached_input + c.cache_read + c.cache_write_5m + c.cache_write_1h
                   + c.cache_write_other as asked
        from calls c
        where c.metered and c.trace_id in (select trace_id from calls where not is_named)
    )
    where asked is not null
    group by trace_id, asked
    having count(*) > 1 and count(case when not is_named then 1 end) > 0
    union all
    select trace_id
    from (
        select c.trace_id,
               concat_ws(chr(31), coalesce(c.scope_name, ''), coalesce(c.service_name, ''),
                         coalesce(c.kind, 0) = 2) as recorder,
               not c.metered or c.uncached_input is null or c.cache_read is null
                   or c.cache_write_other is null as is_partial
        from calls c
        where c.trace_id in (select trace_id from calls where not is_named)
    )
    group by trace_id
    having count(case when is_partial then 1 end) > 0 and min(recorder) <> max(recorder)
);

create or replace table suspects as
select
    c.n, c.trace_id, c.span_id, c.parent_span_id, c.start_unix_nano, c.end_unix_nano,
    c.response_id, c.is_named, c.operation_key, lower(c.model) as model, c.metered,
    c.uncached_input,
    c.uncached_input + c.cache_read + c.cache_write_5m + c.cache_write_1h + c.cache_write_other
        as asked,
    c.visible_output + coalesce(c.reasoning, 0) as answered,
    coalesce(c.service_name, '') as service,
    s.family, s.exact_output,
    concat_ws(chr(31), s.family, coalesce(c.service_name, ''), coalesce(c.kind, 0) = 2) as recorder
from calls c
join doubtful d on d.trace_id = c.trace_id
join scopes s on s.scope_name is not distinct from c.scope_name
    and s.scope_version is not distinct from c.scope_version;

create or replace table steps as
select o.trace_id, o.span_id, o.parent_span_id
from once o
join doubtful d on d.trace_id = o.trace_id
where not o.is_call and o.parent_span_id is not null;

create or replace table climbing as
select n, trace_id, parent_span_id as at
from suspects
where parent_span_id is not null;

create or replace table nested (outer_n bigint, inner_n bigint);

create or replace table found_keys as
select n, operation_key, 'same_response' as reason
from suspects
where is_named;
