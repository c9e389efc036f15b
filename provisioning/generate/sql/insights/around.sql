SELECT iif(since = 0, '0', format('%+d', since)) AS "Nights since", avg(z) AS "HRV", count(z) AS "Nights"
FROM (
  SELECT CAST(julianday(baselines.day) - julianday(tag_days.night) AS INTEGER) AS since, z
  FROM tag_days
  JOIN baselines ON baselines.day BETWEEN date(tag_days.night, '-3 days') AND date(tag_days.night, '+5 days')
  WHERE metric = 'average_hrv' AND tag = '$tag' AND $__timeFilter(baselines.time)
)
GROUP BY since
HAVING count(z) > 0
ORDER BY since
