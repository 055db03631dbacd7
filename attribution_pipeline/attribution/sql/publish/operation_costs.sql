-- Request level: what each operation has of the ledger rows with basis = operations. The many rows are
-- joined by integers; text is joined to the few.
-- in:  staged_operations, portions, ops, numbers, ledger_rows
-- out: operation_costs (grain: attribution_id, operation), in the published order of columns; place:
--      the file that a row goes into; charge_number, row_number: the order of charge_id and of
--      attribution_id
create table request_portions as
select s.portion_id, p.charge_id, s.component, s.token_kind,
       dense_rank() over (order by p.charge_id) as charge_number,
       dense_rank() over (order by p.charge_id, s.component, s.token_kind nulls first) as slot_id,
       {place} as place
from (
    -- a portion is metered, of one token kind, or of pods
    select portion_id, min(component) as component, min(token_kind) as token_kind
    from staged_operations
    group by portion_id
) s
join portions p on p.portion_id = s.portion_id;

create table request_slots as
select distinct slot_id, charge_id, charge_number, component, token_kind, place
from request_portions;

create table callers as
select row_number() over (order by who_id, operation_name nulls first, model nulls first) as caller_id, *
from (
    select distinct who_id, operation_name, model from ledger_rows
    where basis = 'operations' and leg = 'own'
);

create table request_rows as
select s.slot_id, c.caller_id, l.attribution_id,
       row_number() over (order by l.attribution_id) as row_number
from ledger_rows l
join request_slots s on s.charge_id = l.charge_id and s.component = l.component
    and coalesce(s.token_kind, chr(30)) = coalesce(l.token_kind, chr(30))
join callers c on c.who_id = l.who_id
    and coalesce(c.operation_name, chr(30)) = coalesce(l.operation_name, chr(30))
    and coalesce(c.model, chr(30)) = coalesce(l.model, chr(30))
where l.basis = 'operations' and l.leg = 'own';

create table called_by as
select o.op_id, c.caller_id, n.operation_number,
       case when not o.ends_today then o.operation_key end as operation_key
from numbers n
join ops o on o.op_id = n.op_id
join callers c on c.who_id = o.who_id
    and coalesce(c.operation_name, chr(30)) = coalesce(o.operation_name, chr(30))
    and coalesce(c.model, chr(30)) = coalesce(o.model, chr(30));

create table operation_costs as
select
    r.attribution_id, t.charge_id, o.operation_number, o.operation_key, s.weight,
    {billed} as billed_cost,
    {effective} as effective_cost,
    t.place, t.charge_number, r.row_number
from (
    select p.slot_id, s.op_id, cast(max(s.weight) as bigint) as weight,
           cast(sum(s.billed) as {int}) as billed, cast(sum(s.effective) as {int}) as effective
    from staged_operations s
    join request_portions p on p.portion_id = s.portion_id
    group by p.slot_id, s.op_id
) s
join called_by o on o.op_id = s.op_id
join request_rows r on r.slot_id = s.slot_id and r.caller_id = o.caller_id
join request_slots t on t.slot_id = s.slot_id;
