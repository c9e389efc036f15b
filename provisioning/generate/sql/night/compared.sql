WITH night AS (
  SELECT day, bedtime_start AS start, bedtime_end AS finish
  FROM nights
  WHERE 2 * (min(bedtime_end, $__timeTo()) - max(bedtime_start, $__timeFrom())) >= bedtime_end - bedtime_start
  ORDER BY bedtime_end DESC
  LIMIT 1
), points AS (
  SELECT nights.day, (samples.time - nights.bedtime_start) / 900 AS quarter, avg(samples.value) AS value
  FROM nights
  CROSS JOIN samples_data AS samples ON samples.series = (SELECT series FROM series WHERE name = '$series')
    AND samples.document = nights.document
    AND samples.time BETWEEN nights.bedtime_start AND nights.bedtime_end
  WHERE nights.day BETWEEN (SELECT date(day, '-28 days') FROM night) AND (SELECT day FROM night)
  GROUP BY 1, 2
)
SELECT night.start + quarter * 900 AS time,
  max(iif(points.day = night.day, value, NULL)) AS "$title",
  -- Fewer than seven nights are not usual.
  iif(count(DISTINCT points.day) > 7, percentile(iif(points.day = night.day, NULL, value), 25), NULL) AS "Lower",
  iif(count(DISTINCT points.day) > 7, median(iif(points.day = night.day, NULL, value)), NULL) AS "Usual",
  iif(count(DISTINCT points.day) > 7, percentile(iif(points.day = night.day, NULL, value), 75), NULL) AS "Upper"
FROM points CROSS JOIN night
WHERE night.start + quarter * 900 <= night.finish
GROUP BY quarter
ORDER BY 1
