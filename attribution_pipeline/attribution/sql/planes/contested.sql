-- Of deliveries of one span that differ, the one that stands.
-- in:  tellings, contested (grain: span)
-- out: rows of winners (grain: span)

-- what the policy does not name decides nothing, and of two that say the same otherwise the one that
-- says more of what it names stands: the other one was read for less
insert into winners
select * exclude (content, told, named, place)
from (
    select *, row_number() over (
        partition by trace_id, span_id
        order by end_unix_nano desc, content desc, told desc, named desc, coalesce(attributes, '') desc
    ) as place
    from (
        select t.*, sha256(concat_ws(chr(31), {content})) as content,
               {told} as told, concat_ws(chr(31), {named}) as named
        from tellings t
        join contested c on c.trace_id = t.trace_id and c.span_id = t.span_id
    )
)
where place = 1;
