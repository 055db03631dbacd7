-- Issuances that cannot be one: two claims under one id, or traces that nothing joins.
-- in:  carriers (grain: span with an envelope), tokens (grain: distinct envelope), around (grain: one
--      span)
-- out: conflicts (grain: issuance), parts (grain: issuance of several traces, trace; part: the traces
--      that are joined have the smallest trace id among them), bridges (grain: issuance, two traces),
--      nearer (view: traces that a bridge brings to a smaller part)
create table conflicts as
select issuance_id
from tokens
where verdict = 'verified'
group by issuance_id
having count(distinct said) > 1;

create table parts as
select issuance_id, trace_id, attempt, trace_id as part
from (
    select t.issuance_id, a.trace_id, min(a.attempt) as attempt,
           count(*) over (partition by t.issuance_id) as traces
    from carriers a
    join tokens t on t.envelope = a.envelope
    where t.verdict = 'verified'
    group by t.issuance_id, a.trace_id
)
where traces > 1;

create table bridges as
-- a span of the one links to a span of the other
select distinct p.issuance_id, p.trace_id as one, q.trace_id as other
from (
    select trace_id, split_part(link, ':', 1) as target
    from (
        select trace_id, unnest(string_split(links, ' ')) as link
        from around
        where links is not null and trace_id in (select trace_id from parts)
    )
) l
join parts p on p.trace_id = l.trace_id
join parts q on q.issuance_id = p.issuance_id and q.trace_id = l.target
where q.trace_id <> p.trace_id
union
-- a later attempt, the only one of its number, retries what was first
select r.issuance_id, r.trace_id, f.trace_id
from (
    select issuance_id, attempt, min(trace_id) as trace_id
    from parts
    where attempt > 1
    group by issuance_id, attempt
    having count(*) = 1
) r
join (
    select issuance_id, trace_id,
           row_number() over (
               partition by issuance_id order by coalesce(attempt, 1), trace_id) as place
    from parts
) f on f.issuance_id = r.issuance_id and f.place = 1
where f.trace_id <> r.trace_id;

create view nearer as
select p.issuance_id, p.trace_id, min(q.part) as part
from parts p
join (
    select issuance_id, one, other from bridges
    union all
    select issuance_id, other, one from bridges
) b on b.issuance_id = p.issuance_id and b.one = p.trace_id
join parts q on q.issuance_id = b.issuance_id and q.trace_id = b.other
where q.part < p.part
group by p.issuance_id, p.trace_id;
