-- Phase 1, fourth pass. What no operation has of a metered charge.
-- in:  meter_portions (portion, slice), meter_parts (grain: portion, operation), portions
-- out: meter_rests (grain: portion)
create table meter_rests as
select p.portion_id, mp.slice_id,
       cast(p.billed - coalesce(d.billed, 0) as {int}) as billed,
       cast(p.effective - coalesce(d.effective, 0) as {int}) as effective
from meter_portions mp
join portions p on p.portion_id = mp.portion_id
left join (
    select portion_id, sum(billed) as billed, sum(effective) as effective
    from meter_parts group by portion_id
) d on d.portion_id = p.portion_id;
