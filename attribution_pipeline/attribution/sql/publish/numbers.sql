-- Small names of operations within the day: those that the state before has stay, new ones follow.
-- in:  ops (grain: operation), staged_operations (operation), numbers_before (grain: operation_key)
-- out: numbers (grain: operation that is published or has a request row)
create table numbers as
select op_id, operation_number
from (
    select o.op_id, coalesce(b.operation_number, {last} + row_number() over (
               partition by b.operation_number is null
               -- calls of one caller, beside each other in time, are alike in most columns
               order by o.who_id, o.operation_name nulls first, o.model nulls first,
                        o.end_unix_nano, o.op_id
           )) as operation_number
    from ops o
    left join numbers_before b on b.operation_key = o.operation_key
    -- what stands for many calls at once has no end, and no number
    where o.end_unix_nano is not null
        and (o.ends_today or o.op_id in (select op_id from staged_operations))
);
