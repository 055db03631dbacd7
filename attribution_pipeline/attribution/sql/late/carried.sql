-- Carried rows among the staged ones, where the bases of later phases look for them.
-- in:  carried (grain: attribution_id), recorded, actors
-- out: rows of staged, of method 'carried'
insert into staged
select c.portion_id, r.component, r.leg, r.basis, a.who_id, r.operation_name, r.model, r.token_kind,
       r.unallocated_reason, null, 'carried', null, null, null, null, r.confidence,
       cast(r.billed as {int}), cast(r.effective as {int})
from carried c
join recorded r on r.attribution_id = c.attribution_id
join actors a on a.actor_key = r.actor_key
where not c.is_staged;

update carried set is_staged = true;
