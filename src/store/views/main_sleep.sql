CREATE VIEW main_sleep AS
SELECT * FROM sleep
WHERE type = 'long_sleep'
  AND document = (SELECT longest.document FROM sleep AS longest
                  WHERE longest.day = sleep.day AND longest.type = 'long_sleep'
                  ORDER BY longest.total_sleep_duration DESC, longest.time_in_bed DESC,
                           longest.document
                  LIMIT 1)
