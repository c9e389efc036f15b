CREATE VIEW sleep_debt AS
-- The need is the median of the weekend nights of the last 90 days, between 7 and 9 hours, and 7.5 hours without any.
SELECT day, time, slept, need, need - slept AS missing,
       max(0, ewma(need - slept, 0.2) OVER nights / 0.2) AS debt,
       row_number() OVER nights AS nights
FROM (
    SELECT day, time, slept,
           min(max(coalesce(
               median(iif(free, slept, NULL)) OVER (ORDER BY julianday(day) RANGE BETWEEN 90 PRECEDING AND 1 PRECEDING),
               27000), 25200), 32400) AS need
    FROM sleep_times
)
WINDOW nights AS (ORDER BY day)
