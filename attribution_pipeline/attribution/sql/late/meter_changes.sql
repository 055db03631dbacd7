-- What late operations bring to rows of metered charges, and what gone ones take with them.
-- in:  come_parts, gone_parts (grain: portion, operation), ops, actors, gone_ops (grain: operation),
--      portions, meter_charges (grain: charge, slice), meter_weights, metered_rows (grain: attribution_id),
--      restated_slices (slice): their coverage crossed the tolerance; {has_gone}, {has_restated}: whether
--      there are any, since to plan a join of nothing takes as long as one of something
-- out: meter_changes (grain: attribution_id), amounts signed
--      meter_parts (grain: charge, operation), of these rows alone: the whole amount of a row is at
--      its first operation, since only the row's sum is known
--      meter_rests (grain: charge, slice); rows of carried
create table meter_changes as
select {attribution_id} as attribution_id, *
from (
    select c.charge_id, c.slice_id, m.portion_id, m.portions, m.model, m.token_kind,
           c.who_key, c.actor_key, c.reason, c.operation_name,
           sum(c.billed) as billed, sum(c.effective) as effective
    from (
        select p.charge_id, mp.slice_id, a.who_key, a.actor_key, a.reason, o.operation_name,
               mp.billed, mp.effective
        from come_parts mp
        join ops o on o.op_id = mp.op_id
        join actors a on a.who_id = o.who_id
        join portions p on p.portion_id = mp.portion_id
        union all
        select p.charge_id, mp.slice_id, o.who_key, o.actor_key, o.reason, o.operation_name,
               -mp.billed, -mp.effective
        from gone_parts mp
        join gone_ops o on o.op_id = mp.op_id
        join portions p on p.portion_id = mp.portion_id
        where {has_gone}
        union all
        -- no amount moves, but every row says how far it is trusted
        select m.charge_id, m.slice_id, a.who_key, a.actor_key, a.reason, o.operation_name, 0, 0
        from meter_charges m
        join meter_weights w on w.slice_id = m.slice_id
        join ops o on o.op_id = w.op_id
        join actors a on a.who_id = o.who_id
        where {has_restated} and m.slice_id in (select slice_id from restated_slices)
    ) c
    join meter_charges m on m.charge_id = c.charge_id and m.slice_id = c.slice_id
    group by c.charge_id, c.slice_id, m.portion_id, m.portions, m.model, m.token_kind,
             c.who_key, c.actor_key, c.reason, c.operation_name
);

create table meter_parts as
select portion_id, slice_id, op_id, weight, attribution_id,
       case when place = 1 then billed else 0 end as billed,
       case when place = 1 then effective else 0 end as effective
from (
    select c.portion_id, c.slice_id, w.op_id, w.weight, c.attribution_id,
           row_number() over (partition by c.attribution_id order by w.op_id) as place,
           cast(c.billed + coalesce(r.billed, 0) as {int}) as billed,
           cast(c.effective + coalesce(r.effective, 0) as {int}) as effective
    from meter_changes c
    join actors a on a.actor_key = c.actor_key
    join ops o on o.who_id = a.who_id
        and coalesce(o.operation_name, chr(30)) = coalesce(c.operation_name, chr(30))
    join meter_weights w on w.op_id = o.op_id and w.slice_id = c.slice_id
    left join metered_rows r on r.attribution_id = c.attribution_id
);

create table meter_rests as
select m.portion_id, m.slice_id,
       cast(m.billed - coalesce(d.billed, 0) as {int}) as billed,
       cast(m.effective - coalesce(d.effective, 0) as {int}) as effective
from meter_charges m
left join (
    select charge_id, slice_id, sum(billed) as billed, sum(effective) as effective
    from (
        select m.charge_id, m.slice_id, r.billed, r.effective
        from metered_rows r
        join meter_charges m on m.charge_id = r.charge_id and m.model = r.model
            and m.token_kind = r.token_kind
        union all
        select charge_id, slice_id, billed, effective from meter_changes
    )
    group by charge_id, slice_id
) d on d.charge_id = m.charge_id and d.slice_id = m.slice_id;

insert into carried
select r.row_no, m.portion_id, {batch}
from metered_rows r
join meter_charges m on m.charge_id = r.charge_id and m.model = r.model
    and m.token_kind = r.token_kind
where r.attribution_id not in (select attribution_id from meter_changes)
    and (r.billed <> 0 or r.effective <> 0 or r.driver_quantity > 0);
