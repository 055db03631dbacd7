-- A retry under an issuance of its own names the one that it follows.
-- in:  path (grain: origin, place, span reached), kin (grain: one span), tokens, disbelieved (issuance)
-- out: witnesses (grain: origin, envelope of the parent issuance)
create table witnesses as
select p.origin, 'envelope' as speaks, 'verified' as verdict, {told}, t.issuance_id
from (
    select p.origin, k.parent_issuance_id, k.start_unix_nano,
           row_number() over (
               partition by p.origin order by p.level, p.place, k.trace_id, k.span_id) as nearest
    from path p
    join kin k on k.trace_id = p.trace_id and k.span_id = p.span_id
    where k.parent_issuance_id is not null
) p
join tokens t on t.issuance_id = p.parent_issuance_id
where p.nearest = 1 and t.verdict = 'verified' and p.start_unix_nano <= t.expires_unix_nano
    and t.issuance_id not in (select issuance_id from disbelieved);
