CREATE VIEW tag_days AS
-- A tag counts for the night that follows its day, which belongs to the next morning.
SELECT DISTINCT start_day AS day, date(start_day, '+1 day') AS night,
       coalesce(nullif(custom_name, ''),
                replace(replace(replace(tag_type_code, 'tag_generic_', ''), 'tag_', ''), '_', ' ')) AS tag
FROM enhanced_tag
WHERE start_day IS NOT NULL AND coalesce(nullif(custom_name, ''), tag_type_code) IS NOT NULL
