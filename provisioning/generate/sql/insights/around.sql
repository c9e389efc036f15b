WITH RECURSIVE apart(days) AS (
    SELECT -3 UNION ALL SELECT days + 1 FROM apart WHERE days < 5
), measured AS MATERIALIZED (
    SELECT day, z FROM baselines
    WHERE metric = 'average_hrv' AND z IS NOT NULL AND $__timeFilter(time)
)
SELECT iif(days = 0, '0', format('%+d', days)) AS "Nights since", avg(z) AS "HRV", count(z) AS "Nights"
FROM tag_days
CROSS JOIN apart
JOIN measured ON measured.day = date(tag_days.night, days || ' days')
WHERE tag = '$tag'
GROUP BY days
HAVING count(z) >= 5
ORDER BY days
