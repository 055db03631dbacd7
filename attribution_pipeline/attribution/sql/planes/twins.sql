-- Calls that several spans tell of, and which of these speaks first. Most calls have one span.
-- in:  calls (grain: one span of a billable call), scopes (grain: scope, version)
-- out: ranked (grain: one span of a call of several; call_no: a number for it; place 1 is the span that
--      gives tokens, times and day), picks (grain: such a call; best, server, caller: spans by n)
create table several as
select row_number() over () as call_no, operation_key
from (select operation_key from calls group by operation_key having count(*) > 1);

create table ranked as
select n, call_no, kind, is_gateway,
       row_number() over (
           partition by call_no
           order by
               case when metered then 0 else 1 end,
               scope_rank,
               -- the caller knows who asked; a server knows when it worked
               case kind when 3 then 0 when 2 then 2 else 1 end,
               end_unix_nano desc, trace_id, span_id
       ) as place
from (
    select c.n, m.call_no, c.kind, s.is_gateway, c.metered, c.end_unix_nano, c.trace_id, c.span_id,
           coalesce(s.scope_rank, case when c.kind = 2 then {unlisted_server} else {unlisted} end)
               as scope_rank
    from several m
    join calls c on c.operation_key = m.operation_key
    join scopes s on s.scope_name is not distinct from c.scope_name
        and s.scope_version is not distinct from c.scope_version
);

drop table several;

create table picks as
select call_no, count(*) as spans,
       min(case when place = 1 then n end) as best,
       -- where a gateway and a model server both answer, the model server served
       coalesce(arg_min(n, case when kind = 2 and not is_gateway then place end),
                arg_min(n, case when kind = 2 then place end)) as server,
       arg_min(n, case when kind is null or kind <> 2 then place end) as caller
from ranked
group by call_no;
