-- Which suspects are tied: two tellings of one call, one around the other or side by side.
-- in:  suspects (grain: one span of a call), nested (outer_n, inner_n)
-- out: ties (grain: suspect and another one that it is tied to, both ways);
--      doubt: 0 one response id, 1 the same usage, 2 one of them has no usage;
--      toward: 0 the other is inside, 1 beside, 2 around
create or replace table pairs as
select outer_n as a, inner_n as b, 'nested' as side from nested
union all
-- twins side by side start within moments: whatever starts between them is in their way
select before_n, n, 'beside'
from (
    select n, lag(n) over (
        partition by trace_id, parent_span_id order by start_unix_nano, end_unix_nano desc, span_id
    ) as before_n
    from suspects
    where parent_span_id is not null
)
where before_n is not null;

create or replace table alike as
select p.side, a.n as a, b.n as b, a.family as a_family, b.family as b_family,
       b.recorder as b_recorder, a.span_id as a_span, b.span_id as b_span,
       b.start_unix_nano as b_start, b.end_unix_nano as b_end,
       abs(a.start_unix_nano - b.start_unix_nano) + abs(a.end_unix_nano - b.end_unix_nano) as apart,
       case when a.is_named and a.response_id = b.response_id then 0
            when a.metered and b.metered then 1
            else 2 end as doubt
from pairs p
join suspects a on a.n = p.a
join suspects b on b.n = p.b
where
    -- two response ids are two calls
    (a.response_id is null or b.response_id is null or a.response_id = b.response_id)
    -- a request's model and the response's, a gateway's name for a model
    and (a.model is null or b.model is null or instr(a.model, b.model) > 0
         or instr(b.model, a.model) > 0 or (p.side = 'nested' and a.service <> b.service))
    and (
        (a.is_named and coalesce(a.response_id = b.response_id, false))
        or (not (a.metered and b.metered) and a.recorder <> b.recorder)
        or (a.metered and b.metered
            and case when a.asked is not null and b.asked is not null then a.asked = b.asked
                     -- who does not say what was cached is compared by what was not
                     else coalesce(a.uncached_input = b.uncached_input, false)
                          and a.recorder <> b.recorder end
            and (a.answered is not distinct from b.answered
                 or (not (a.exact_output and b.exact_output) and a.recorder <> b.recorder)))
    )
    and (p.side = 'nested' or (
        a.family <> b.family
        and least(a.end_unix_nano, b.end_unix_nano) >= greatest(a.start_unix_nano, b.start_unix_nano)
        and (least(a.end_unix_nano, b.end_unix_nano)
             - greatest(a.start_unix_nano, b.start_unix_nano)) * 10
            >= least(a.end_unix_nano - a.start_unix_nano, b.end_unix_nano - b.start_unix_nano)
               * {tenths}
    ));

create or replace table ties as
with inside as (
    -- of one recorder at most one span inside is the same call: a retry is told by two
    select a, b, doubt
    from (
        select a, b, doubt, row_number() over (
            partition by a, b_recorder order by doubt, b_end desc, b_start desc, b_span) as place
        from alike
        where side = 'nested'
    )
    where place = 1
),
both_ways as (
    select n, other, doubt,
           row_number() over (partition by n, family order by doubt, apart, span) as place
    from (
        select a as n, b as other, b_family as family, doubt, apart, b_span as span
        from alike where side = 'beside'
        union all
        select b, a, a_family, doubt, apart, a_span from alike where side = 'beside'
    )
),
beside as (
    -- each is the other's nearest
    select x.n, x.other, x.doubt
    from both_ways x
    join both_ways y on y.n = x.other and y.other = x.n and y.place = 1
    where x.place = 1
)
select n, other, doubt, toward,
       case doubt when 0 then 'same_response' when 2 then 'unmetered_twin'
            else case toward when 1 then 'same_usage_sibling' else 'same_usage_ancestor' end
       end as reason
from (
    select a as n, b as other, doubt, 0 as toward from inside
    union all
    select b, a, doubt, 2 from inside
    union all
    select n, other, doubt, 1 from beside
);
