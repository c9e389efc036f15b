-- Each night after a tag against the median of the nights without it, two weeks around, of the
-- same kind of day.
WITH RECURSIVE apart(days) AS (
    SELECT -14 UNION ALL SELECT days + 1 FROM apart WHERE days < 14
), kinds AS MATERIALIZED (
    SELECT unixepoch(day) / 86400 AS number, time, average_hrv,
           strftime('%w', day) IN ('0', '6') AS free
    FROM nights
    WHERE average_hrv IS NOT NULL
      AND day BETWEEN date($__dayFrom(), '-14 days') AND date($__dayTo(), '+14 days')
), given AS MATERIALIZED (
    SELECT tag, unixepoch(night) / 86400 AS number FROM tag_days
), moved AS (
    -- Equal numbers are found by an index, ranges of days are not.
    SELECT given.tag, tagged.average_hrv - median(control.average_hrv) AS difference
    FROM given
    JOIN kinds AS tagged ON tagged.number = given.number
    CROSS JOIN apart
    JOIN kinds AS control ON control.number = tagged.number + apart.days
    LEFT JOIN given AS other ON other.tag = given.tag AND other.number = control.number
    WHERE $__timeFilter(tagged.time) AND control.free = tagged.free AND other.tag IS NULL
    GROUP BY given.tag, tagged.number
    HAVING count(*) >= 3
), tested AS (
    SELECT tag, count(difference) AS n, hodges_lehmann(difference) AS estimate,
           hodges_lehmann_low(difference) AS low, hodges_lehmann_high(difference) AS high,
           signed_rank_p(difference) AS p
    FROM moved
    GROUP BY tag
    HAVING count(difference) >= 5
), placed AS (
    SELECT *, p * count(*) OVER () / rank() OVER (ORDER BY p) AS share FROM tested
), judged AS (
    SELECT *, min(1, min(share) OVER (ORDER BY p DESC)) AS q FROM placed
)
SELECT tag AS "Tag", n AS "Nights", estimate AS "HRV",
       iif(low IS NULL, 'needs 6 nights', format('%+.1f to %+.1f', low, high)) AS "95 % interval", q AS "q",
       iif(q <= 0.1, 'more than chance', 'may be chance') AS "Reading"
FROM judged
ORDER BY p, tag
