/** Queries for the gallery of the SQL editor. A browser test runs each of them. */
import type { Format } from '../types';

export interface Example {
  title: string;
  format: Format;
  sql: string;
}

export const EXAMPLES: Example[] = [
  {
    title: 'Sleep, readiness and activity scores',
    format: 'time_series',
    sql: `SELECT time, sleep_score, readiness_score, activity_score
FROM days
WHERE $__timeFilter(time)
ORDER BY time`,
  },
  {
    title: 'Sleep stages per night',
    format: 'time_series',
    sql: `SELECT time, deep_sleep_duration, rem_sleep_duration, light_sleep_duration, awake_time
FROM nights
WHERE $__timeFilter(time)
ORDER BY time`,
  },
  {
    title: 'Average steps by weekday',
    format: 'table',
    sql: `SELECT strftime('%w', day) AS weekday, avg(steps) AS steps
FROM days
WHERE $__timeFilter(time)
GROUP BY weekday
ORDER BY weekday`,
  },
  {
    title: 'HRV and lowest heart rate',
    format: 'time_series',
    sql: `SELECT time, average_hrv, lowest_heart_rate
FROM nights
WHERE $__timeFilter(time)
ORDER BY time`,
  },
  {
    title: 'HRV, average of seven nights',
    format: 'time_series',
    sql: `SELECT time, avg(average_hrv) OVER (ORDER BY time ROWS 6 PRECEDING) AS average_hrv
FROM nights
WHERE $__timeFilter(time)
ORDER BY time`,
  },
  {
    title: 'Heart rate in steps of the panel',
    format: 'time_series',
    sql: `SELECT $__timeGroup(time, $__interval) AS time, avg(bpm) AS bpm
FROM heartrate
WHERE $__timeFilter(time)
GROUP BY 1
ORDER BY 1`,
  },
  {
    title: 'Heart rate by source',
    format: 'table',
    sql: `SELECT source, count(*) AS readings, median(bpm) AS median, min(bpm) AS lowest, max(bpm) AS highest
FROM heartrate
WHERE $__timeFilter(time)
GROUP BY source
ORDER BY readings DESC`,
  },
  {
    title: 'Workouts with duration',
    format: 'table',
    sql: `SELECT start_datetime AS time, activity, intensity, end_datetime - start_datetime AS seconds, calories
FROM workout
WHERE $__timeFilter(start_datetime)
ORDER BY time DESC`,
  },
  {
    title: 'Bedtime and wake-up time',
    format: 'table',
    sql: `SELECT day, bedtime_start, bedtime_end, total_sleep_duration, efficiency
FROM nights
WHERE $__timeFilter(time)
ORDER BY day DESC`,
  },
  {
    title: 'Nights below your usual HRV',
    format: 'table',
    sql: `SELECT night.day, night.average_hrv, usual.median
FROM nights AS night
CROSS JOIN (SELECT median(average_hrv) AS median FROM nights) AS usual
WHERE $__timeFilter(night.time) AND night.average_hrv < usual.median
ORDER BY night.day DESC`,
  },
  {
    title: 'Hypnogram of the last night',
    format: 'table',
    sql: `SELECT time, stage
FROM hypnogram
WHERE day = (SELECT max(day) FROM nights)
ORDER BY time`,
  },
  {
    title: 'Sleep by month',
    format: 'table',
    sql: `SELECT substr(day, 1, 7) AS month, count(*) AS nights, avg(total_sleep_duration) AS total_sleep_duration
FROM nights
GROUP BY month
ORDER BY month`,
  },
  {
    title: 'Days without data, by collection',
    format: 'table',
    sql: `SELECT collection, count(*) AS days
FROM coverage
WHERE state <> 'complete' AND $__timeFilter(time)
GROUP BY collection
ORDER BY days DESC`,
  },
  {
    title: 'State of the collections',
    format: 'table',
    sql: `SELECT name, state, reason, documents, first_day, last_day
FROM collections
ORDER BY name`,
  },
];
