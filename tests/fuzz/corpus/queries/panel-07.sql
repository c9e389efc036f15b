SELECT time, average_hrv AS "HRV at night"
FROM nights
WHERE $__timeFilter(time)
ORDER BY time