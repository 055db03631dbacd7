-- Which span speaks first for its call.
-- in:  calls (grain: one span of a billable call), scopes (grain: scope, version)
-- out: ranked (same grain as calls; place 1 is the span that gives tokens, times and day)
create table ranked as
select n, operation_key, kind, is_gateway,
       row_number() over (
           partition by operation_key
           order by
               case when metered then 0 else 1 end,
               scope_rank,
               -- the caller knows who asked; a server knows when it worked
               case kind when 3 then 0 when 2 then 2 else 1 end,
               end_unix_nano desc, trace_id, span_id
       ) as place
from (
    select c.n, c.operation_key, c.kind, s.is_gateway, c.metered, c.end_unix_nano, c.trace_id, c.span_id,
           coalesce(s.scope_rank, case when c.kind = 2 then {unlisted_server} else {unlisted} end)
               as scope_rank
    from calls c
    join scopes s on s.scope_name is not distinct from c.scope_name
        and s.scope_version is not distinct from c.scope_version
);
