-- Which operation ids the spans of some traces say, on the span or in an envelope.
-- in:  spans (grain: landed span), tokens (grain: envelope, the operation id in it), of_traces (traces)
-- out: said (grain: trace, span, operation id; signed: whether an envelope says it)
create table said as
select distinct s.trace_id, s.span_id, s.operation_id, false as signed
from spans s
where s.operation_id is not null and s.trace_id in (select trace_id from of_traces)
union all
select distinct s.trace_id, s.span_id, t.operation_id, true as signed
from spans s
join tokens t on t.envelope = s.envelope
where s.operation_id is null and s.trace_id in (select trace_id from of_traces)
