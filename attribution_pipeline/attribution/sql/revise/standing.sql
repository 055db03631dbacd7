-- What the ledger is to say: rows as computed, and for held charges the rows as they were.
-- in:  ledger, before (grain: attribution_id), held_charges, held_rows (grain: charge)
-- out: standing (grain: attribution_id), variances (grain: held attribution_id that would differ)
create table standing as
select {columns} from ledger
where charge_id not in (select charge_id from held_charges)
union all
select {columns} from before
where charge_id in (select charge_id from held_charges)
    and unallocated_reason is distinct from 'held'
union all
select {held_columns} from held_rows;

create table variances as
select w.*, coalesce(b.billed_cost, 0) as held_billed_cost,
       coalesce(b.effective_cost, 0) as held_effective_cost
from (select * from ledger where charge_id in (select charge_id from held_charges)) w
left join (select * from before where unallocated_reason is distinct from 'held') b
    on b.attribution_id = w.attribution_id
where b.attribution_id is null or {differs}
union all
select {vanished_columns}, b.billed_cost, b.effective_cost
from before b
where b.charge_id in (select charge_id from held_charges)
    and b.unallocated_reason is distinct from 'held'
    and (b.billed_cost <> 0 or b.effective_cost <> 0)
    and not exists (select 1 from ledger w where w.attribution_id = b.attribution_id);
