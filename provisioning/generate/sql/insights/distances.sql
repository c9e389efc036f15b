WITH
  shown AS (SELECT * FROM signs WHERE $__timeFilter(time))
SELECT time, temperature AS "Temperature", heart AS "Lowest heart rate",
       -hrv AS "HRV, inverted", breath AS "Breathing"
FROM shown
-- Without any value, the panel shows its words.
WHERE EXISTS (SELECT 1 FROM shown WHERE known > 0)
ORDER BY time
