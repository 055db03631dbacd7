-- Of what can be pinned on a request, what meets a condition: by slice, by cost and by tokens.
-- in:  records (grain: attribution_id, operation)
-- out: grain: currency, provider, model, surface; parts and wholes, open rows in the wholes
select billing_currency, provider, model, surface,
       sum(case when {condition} then cost else 0 end) as part_cost, sum(cost) as whole_cost,
       sum(case when {condition} then tokens else 0 end) as part_tokens, sum(tokens) as whole_tokens,
       count(*) as records
from records
where component in ('direct', 'workload')
group by billing_currency, provider, model, surface
order by billing_currency, provider, surface, model
