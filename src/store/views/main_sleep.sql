CREATE VIEW main_sleep AS
-- The longest long_sleep of the day. Without one, the longest period that is neither rest nor
-- deleted, if it has an hour of sleep: a nap on the sofa before midnight is not the night of the next
-- day.
SELECT * FROM sleep
WHERE document = (SELECT longest.document FROM sleep AS longest
                  WHERE longest.day = sleep.day
                    AND coalesce(longest.type, '') NOT IN ('deleted', 'rest')
                    AND (NOT longest.type IS NOT 'long_sleep' OR longest.total_sleep_duration >= 3600)
                  ORDER BY longest.type IS NOT 'long_sleep', longest.total_sleep_duration DESC,
                           longest.time_in_bed DESC, longest.id, longest.document
                  LIMIT 1)
