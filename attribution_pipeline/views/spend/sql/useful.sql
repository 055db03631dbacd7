-- Useful outcomes of features in two periods that follow each other.
-- in:  outcomes_daily
-- out: grain: feature
select feature,
       cast(coalesce(sum(case when charge_date < date '{newer}' then outcomes end), 0) as bigint)
           as older,
       cast(coalesce(sum(case when charge_date >= date '{newer}' then outcomes end), 0) as bigint)
           as newer
from outcomes_daily
where useful and feature is not null and charge_date between date '{older}' and date '{last}'
group by feature
order by feature
