SELECT time, lowest_heart_rate AS "Resting heart rate"
FROM nights
WHERE $__timeFilter(time)
ORDER BY time