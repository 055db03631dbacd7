-- Rows of divided idle.
-- in:  shares (amount, who), shared_amounts, actors
-- out: rows of staged
insert into staged
select a.portion_id, 'idle', 'idle', 'driver', s.member, null, null, null,
       w.reason, w.reason,
       'share', '{driver}', cast(sum(s.weight) as hugeint), cast(sum(s.total) as hugeint), '{unit}',
       case when w.tenant_id is null then 'unallocated' else 'allocated' end,
       cast(sum(s.billed) as {int}), cast(sum(s.effective) as {int})
from shares s
join shared_amounts a on a.amount_id = s.amount_id
join actors w on w.who_id = s.member
group by a.portion_id, s.member, w.tenant_id, w.reason;
