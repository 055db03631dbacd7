-- Request level: what each operation has of the ledger rows with basis = operations.
-- in:  staged_operations, portions, ops, assignments, ledger_rows
-- out: operation_costs (grain: attribution_id, operation); place: the file that a row goes into
create table operation_costs as
select
    l.attribution_id, l.charge_id, o.operation_key, s.weight,
    {billed} as billed_cost,
    {effective} as effective_cost,
    {place} as place
from (
    select p.charge_id, s.op_id, s.component, s.token_kind,
           cast(max(s.weight) as bigint) as weight,
           cast(sum(s.billed) as {int}) as billed, cast(sum(s.effective) as {int}) as effective
    from staged_operations s
    join portions p on p.portion_id = s.portion_id
    group by p.charge_id, s.op_id, s.component, s.token_kind
) s
join ops o on o.op_id = s.op_id
join ledger_rows l on l.charge_id = s.charge_id and l.component = s.component and l.leg = 'own'
    and l.who_id = o.who_id and l.basis = 'operations'
    and coalesce(l.operation_name, chr(30)) = coalesce(o.operation_name, chr(30))
    and coalesce(l.model, chr(30)) = coalesce(o.model, chr(30))
    and coalesce(l.token_kind, chr(30)) = coalesce(s.token_kind, chr(30));
