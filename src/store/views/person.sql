CREATE VIEW person AS
-- The maximum heart rate is 208 - 0.7 times the age (Tanaka 2001), or the highest rates of workouts if those are higher.
SELECT max(age) AS age, max(biological_sex) AS biological_sex,
       max(coalesce(208 - 0.7 * max(age), 185),
           coalesce((SELECT percentile(maximum, 99) FROM heartrate_5m WHERE source = 'workout'), 0))
           AS maximum
FROM personal_info
