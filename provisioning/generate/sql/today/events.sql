WITH
  shown AS (
    SELECT time, title, text
    FROM
      (
        SELECT
          time,
          'workout: ' || replace(activity, '_', ' ') AS title,
          concat_ws(' · ', hms(end_datetime - time), format('%.0f kcal', calories)) AS text
        FROM workout
        UNION ALL
        SELECT time, 'session: ' || type, hms(end_datetime - time)
        FROM session
        UNION ALL
        SELECT
          time,
          'tag: ' || coalesce(nullif(custom_name, ''), replace(tag_type_code, 'tag_generic_', '')),
          comment
        FROM enhanced_tag
      )
    WHERE $__timeFilter(time)
    ORDER BY time DESC
    LIMIT 500
  )
SELECT time AS "When", title AS "What", text AS "Details" FROM shown
UNION ALL
SELECT NULL, '$empty', NULL WHERE NOT EXISTS (SELECT 1 FROM shown)
ORDER BY 1 DESC
