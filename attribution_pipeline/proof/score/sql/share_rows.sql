-- The rows that do not meet it, dearest first.
-- in:  records (grain: attribution_id, operation)
-- out: grain: charge_date, attribution_id; at most {most} a slice, all_rows counts them all
select * exclude (place)
from (
    select *,
           row_number() over (
               partition by billing_currency, provider, model, surface
               order by abs(cost) desc, charge_date, attribution_id) as place,
           count(*) over (partition by billing_currency, provider, model, surface) as all_rows
    from (
        select billing_currency, provider, model, surface, charge_date, attribution_id,
               tenant_id, workflow_id, principal_id, consumer_id, token_kind,
               sum(cost) as cost, sum(tokens) as tokens, count(*) as records
        from records
        where component in ('direct', 'workload') and not coalesce({condition}, false)
        group by billing_currency, provider, model, surface, charge_date, attribution_id,
                 tenant_id, workflow_id, principal_id, consumer_id, token_kind
    )
)
where place <= {most}
order by billing_currency, provider, surface, model, place
