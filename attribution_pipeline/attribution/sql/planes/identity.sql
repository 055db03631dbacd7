-- Whose calls are, where it is not what the one span of a call says itself.
-- in:  picks, own (grain: call of several spans), calls (grain: one span), answers (grain: origin)
-- out: identities (grain: call of several spans that speaks for itself, or one that the ladder answers
--      for; n: its best span). No tenant: the ladder stopped there, since what was said is not believed
create table identities as
select p.best as n, {own_who},
       case when s.speaks = 'attributes' then 'attributes' else 'envelope' end as identity_source,
       case when o.is_denied then 'unknown_key' else s.verdict end as verdict,
       s.issuance_id
from own o
join picks p on p.call_no = o.call_no
join calls s on s.n = o.n
union all
select a.origin, {answered_who}, a.source, a.verdict, a.issuance_id
from answers a;
