SELECT strftime('%Y-%m', day) AS "Month", avg(average_hrv) AS "HRV",
       stddev(average_hrv) AS "HRV deviation", avg(lowest_heart_rate) AS "Lowest heart rate",
       avg(total_sleep_duration) AS "Asleep", avg(efficiency) AS "Efficiency", count(*) AS "Nights"
FROM nights
WHERE $__timeFilter(time)
GROUP BY 1
ORDER BY 1 DESC
