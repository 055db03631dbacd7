-- Invariant 2: for every charge of a node, workload + idle = the charge, each cost, signed.
-- in:  charge_lines, ledger
-- out: invariant, subject, detail
select 'node' as invariant, l.charge_id as subject,
       'bill ' || cast(b.billed as varchar) || ', workload + idle ' || cast(l.billed as varchar) as detail
from (
    select charge_id, sum(billed_cost) as billed, sum(effective_cost) as effective
    from ledger where component in ('workload', 'idle')
      and charge_id in (select charge_id from ledger where component = 'workload')
    group by charge_id
) l
join (select charge_id, sum(billed_cost) as billed, sum(effective_cost) as effective
      from charge_lines group by charge_id) b on b.charge_id = l.charge_id
-- a charge whose tag sets go different ways has rows of other components too
where l.charge_id not in (select charge_id from ledger where component not in ('workload', 'idle'))
  and (b.billed <> l.billed or b.effective <> l.effective)
order by subject
