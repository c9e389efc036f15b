CREATE VIEW main_sleep AS
-- The longest long_sleep of the day. Without one, the longest period that is neither rest nor
-- deleted.
SELECT * FROM sleep
WHERE document = (SELECT longest.document FROM sleep AS longest
                  WHERE longest.day = sleep.day
                    AND coalesce(longest.type, '') NOT IN ('deleted', 'rest')
                  ORDER BY longest.type IS NOT 'long_sleep', longest.total_sleep_duration DESC,
                           longest.time_in_bed DESC, longest.id, longest.document
                  LIMIT 1)
