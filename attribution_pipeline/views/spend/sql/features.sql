-- What features cost in two periods that follow each other, without idle and overhead.
-- in:  spend_daily
-- out: grain: feature, currency
select feature, billing_currency,
       cast(coalesce(sum(case when charge_date < date '{newer}' then {metric} end), 0)
            as decimal(38, 12)) as older,
       cast(coalesce(sum(case when charge_date >= date '{newer}' then {metric} end), 0)
            as decimal(38, 12)) as newer
from spend_daily
where feature is not null and component not in ('idle', 'overhead')
  and charge_date between date '{older}' and date '{last}'
group by feature, billing_currency
order by feature, billing_currency
