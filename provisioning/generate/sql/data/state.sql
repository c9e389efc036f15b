SELECT
  age_seconds AS "Since the last sync",
  collections_ok AS "Collections fine",
  collections_failing AS "With trouble",
  (
    SELECT sum(documents)
    FROM collections
  ) AS "Documents",
  (
    SELECT min(first_day)
    FROM collections
  ) AS "First day",
  (
    SELECT 100.0 * count(*)
    FROM nights
    WHERE $__dayFilter(day)
  ) / (
    SELECT nullif(count(*), 0)
    FROM calendar
    WHERE $__dayFilter(day)
  ) AS "Nights"
FROM sync_status
