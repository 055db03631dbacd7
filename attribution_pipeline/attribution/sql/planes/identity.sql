-- Who caused each call, by which rung of the ladder, on whose word.
-- in:  calls (grain: one span of a billable call), ranked (same grain), call_says (same grain),
--      own, nameless, lineage (grain: operation_key), answers (grain: origin)
-- out: identities (grain: operation_key). No tenant and a source: the ladder stopped there, since
--      what was said is not believed; no tenant and `unknown`: nothing was said
create table identities as
select i.*, l.attempt, l.parent_issuance_id
from (
    select o.operation_key, {own_who},
           case when s.speaks = 'attributes' then 'attributes' else 'envelope' end as identity_source,
           case when o.is_denied then 'unknown_key' else s.verdict end as verdict,
           s.issuance_id
    from own o
    join call_says s on s.n = o.n
    union all
    select m.operation_key, {answered_who}, a.source, a.verdict, a.issuance_id
    from nameless m
    join answers a on a.origin = m.origin
    union all
    select m.operation_key, {unknown_who}, 'unknown', 'unsigned', null
    from nameless m
    join ranked r on r.operation_key = m.operation_key and r.place = 1
    join calls c on c.n = r.n
    where m.origin not in (select origin from answers)
) i
left join lineage l on l.operation_key = i.operation_key;
