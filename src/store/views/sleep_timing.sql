CREATE VIEW sleep_timing AS
SELECT day, time,
       sqrt(max(0, avg(midpoint * midpoint) OVER fortnight - avg(midpoint) OVER fortnight * avg(midpoint) OVER fortnight))
           AS midpoint_spread,
       count(*) OVER fortnight AS nights,
       avg(iif(free, midpoint, NULL)) OVER eight_weeks - avg(iif(free, NULL, midpoint)) OVER eight_weeks AS social_jet_lag,
       count(iif(free, 1, NULL)) OVER eight_weeks AS free_nights
FROM sleep_times
WINDOW fortnight AS (ORDER BY julianday(day) RANGE BETWEEN 13 PRECEDING AND CURRENT ROW),
       eight_weeks AS (ORDER BY julianday(day) RANGE BETWEEN 55 PRECEDING AND CURRENT ROW)
