SELECT time, temperature AS "Temperature", heart AS "Lowest heart rate",
       -hrv AS "HRV, inverted", breath AS "Breathing"
FROM signs
WHERE $__timeFilter(time)
ORDER BY time
