-- The billable calls among the spans around the day, with what each says of who caused it.
-- in:  call_says (grain: one span of a billable call), thresholds (sampling_threshold, counted,
--      of_sampled)
-- out: calls (same grain); n is a row number, not an order; is_named: its response id names one call
create table calls as
select row_number() over () as n, c.* exclude (names, sampling_threshold),
       case when is_named then coalesce(provider, '') || chr(31) || response_id
            else trace_id || ':' || span_id end as operation_key,
       coalesce(t.counted, 1) as counted,
       coalesce(t.of_sampled, 1) as of_sampled
from (
    select *,
           -- Ollama draws its ids from a thousand: they name no call
           response_id is not null
               and not (response_id like 'chatcmpl-%' and length(response_id) <= {ollama_length})
               as is_named
    from call_says
) c
left join thresholds t on t.sampling_threshold = c.sampling_threshold;
