-- Largest remainder: the leftover quanta go one each to the largest remainders, ties to the smaller.
-- in:  shared_amounts (amount_id, amounts, total), members (amount_id, member, weight, tie)
-- out: shares (grain: amount, member); they sum to the amount
create or replace table shares as
select amount_id, member, weight, total,
       cast(billed_part + case when billed_place <= abs(billed_left)
                               then sign(billed_left) else 0 end as {int}) as billed,
       cast(effective_part + case when effective_place <= abs(effective_left)
                                  then sign(effective_left) else 0 end as {int}) as effective
from (
    select *,
           billed - sum(billed_part) over (partition by amount_id) as billed_left,
           effective - sum(effective_part) over (partition by amount_id) as effective_left,
           row_number() over (
               partition by amount_id order by abs(billed_remainder) desc, tie) as billed_place,
           row_number() over (
               partition by amount_id order by abs(effective_remainder) desc, tie) as effective_place
    from (
        select a.amount_id, m.member, m.weight, m.tie, a.total, a.billed, a.effective,
               {billed_part} as billed_part,
               {effective_part} as effective_part,
               {billed_remainder} as billed_remainder,
               {effective_remainder} as effective_remainder
        from shared_amounts a
        join members m on m.amount_id = a.amount_id
    )
);
