-- What is not counted: second tellings, second deliveries, and usage that no vendor bills.
-- in:  calls (grain: one span of a billable call), ranked (grain: one span of a call of several),
--      picks (grain: such a call), told (n, reason), repeated (grain: span that came more than once),
--      once (grain: one span)
-- out: merged (grain: one span and reason, of calls and spans that end on the day); tokens are what the
--      span would have added; times: how often it would have been counted too much
create table merged as
select r.trace_id, r.span_id, r.kept_operation_key, r.kept_span_id, r.reason, r.times,
       r.emitter, r.operation_name, r.provider, r.model, r.metered, r.input_tokens, r.output_tokens,
       r.end_unix_nano
from (
    select c.trace_id, c.span_id, c.operation_key as kept_operation_key, b.span_id as kept_span_id,
           coalesce(t.reason, k.reason, 'same_response') as reason, 1 as times,
           concat_ws(' ', c.scope_name, c.scope_version) as emitter, c.operation_name, c.provider,
           c.model, c.metered, {input} as input_tokens, {output} as output_tokens,
           c.end_unix_nano, b.end_unix_nano as counted_at
    from ranked r
    join calls c on c.n = r.n
    join picks p on p.call_no = r.call_no
    join calls b on b.n = p.best
    left join told t on t.n = c.n
    left join told k on k.n = b.n
    where r.place > 1
    union all
    select c.trace_id, c.span_id, c.operation_key, c.span_id, 'duplicate_delivery',
           d.deliveries - 1, concat_ws(' ', c.scope_name, c.scope_version), c.operation_name,
           c.provider, c.model, c.metered, {input}, {output}, c.end_unix_nano, c.end_unix_nano
    from repeated d
    join calls c on c.trace_id = d.trace_id and c.span_id = d.span_id
    union all
    select c.trace_id, c.span_id, null, null,
           case when c.operation_name in ({roll_ups}) then 'roll_up'
                when c.operation_name in ({not_billed}) then 'not_billed'
                else 'not_a_call' end,
           1, concat_ws(' ', c.scope_name, c.scope_version), c.operation_name,
           c.provider, c.model, c.metered, {input}, {output}, c.end_unix_nano, c.end_unix_nano
    from once c
    where c.metered and not c.is_call
) r
where r.counted_at >= {day_ms} * 1000000 and r.counted_at < {day_end_ms} * 1000000;
