-- Where the nearest linking span of each origin points to: the span where its way began, or one up.
-- in:  {path} (grain: origin, place, span reached), {kin} (grain: one span), waiting (origin),
--      followed (origin, span: where links led before)
-- out: linked (grain: origin, linked span; place numbers them)
create table linked as
select origin, row_number() over (partition by origin order by trace_id, span_id) as place,
       trace_id, span_id
from (
    select distinct origin, split_part(link, ':', 1) as trace_id, split_part(link, ':', 2) as span_id
    from (
        select p.origin, unnest(string_split(k.links, ' ')) as link
        from {path} p
        join {kin} k on k.trace_id = p.trace_id and k.span_id = p.span_id
        join (
            select p.origin, min(p.level) as level
            from {path} p
            join {kin} k on k.trace_id = p.trace_id and k.span_id = p.span_id
            where k.links is not null and p.origin in (select origin from waiting)
            group by p.origin
        ) n on n.origin = p.origin and n.level = p.level
        where k.links is not null
    )
) l
where not exists (
    select 1 from followed f
    where f.origin = l.origin and f.trace_id = l.trace_id and f.span_id = l.span_id);

insert into followed select origin, trace_id, span_id from linked;
