-- Calls that a response id names, under one provider where their instrumentations disagree on it.
-- in:  calls (grain: one span of a billable call)
-- out: calls, operation_key changed; told (n, reason), empty
create or replace table renamed as
select response_id, within, coalesce(min(provider), '') || chr(31) || response_id as operation_key
from (
    select response_id, provider,
           -- a long id is one of a kind; a short one names a call within its trace at most
           case when length(response_id) >= {unique_length} then '' else trace_id end as within
    from calls
    where is_named
)
group by response_id, within
having min(coalesce(provider, '')) <> max(coalesce(provider, ''));

update calls
set operation_key = r.operation_key
from renamed r
where r.response_id = calls.response_id
  and r.within = case when length(calls.response_id) >= {unique_length} then '' else calls.trace_id end
  and calls.is_named;

drop table renamed;

create table told (n bigint, reason varchar);
