-- The same with what each carried: envelopes are long, so only those of chosen chains are read.
-- in:  looked_at (grain: operation), spans (grain: span as delivered)
-- out: grain: operation, in the order of the attempts
select l.*, e.envelope
from looked_at l
left join (
    select s.trace_id, s.span_id, max(s.envelope) as envelope
    from spans s
    join looked_at k on k.trace_id = s.trace_id and k.span_id = s.span_id
    group by s.trace_id, s.span_id
) e on e.trace_id = l.trace_id and e.span_id = l.span_id
order by l.chain, l.start_unix_nano, l.attempt, l.trace_id, l.span_id
