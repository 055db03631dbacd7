-- What joins two parts of one chain: an issuance under another, or a link of a call to a call; a call
-- that says it is a retry joins the calls of the trace that it links to.
-- in:  attempts (grain: operation)
-- out: grain: pair of parts
select distinct a.part as part, b.part as other
from attempts a
join attempts b on b.issuance_id = a.parent_issuance_id
where a.part <> b.part
union
select distinct a.part, b.part
from (
    select part, unnest(string_split(links, ' ')) as link from attempts where links is not null
) a
join attempts b on b.trace_id || ':' || b.span_id = a.link
where a.part <> b.part
union
select distinct a.part, b.part
from (
    select part, unnest(string_split(links, ' ')) as link
    from attempts where links is not null and attempt >= 2
) a
join attempts b on b.trace_id = split_part(a.link, ':', 1)
where a.part <> b.part
order by part, other
