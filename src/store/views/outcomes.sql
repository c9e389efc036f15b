CREATE VIEW outcomes AS
-- The values have different units. The + removes the unit of the last column.
SELECT day, outcome, +value AS value
FROM (SELECT day, 'HRV' AS outcome, average_hrv AS value FROM nights
      UNION ALL SELECT day, 'Lowest heart rate', lowest_heart_rate FROM nights
      UNION ALL SELECT day, 'Time asleep', total_sleep_duration FROM nights
      UNION ALL SELECT day, 'Efficiency', efficiency FROM nights
      UNION ALL SELECT day, 'Temperature', temperature_deviation FROM nights)
