/** Values of a column. More are rarely read in a list. */
const MAX_VALUES = 100;

/** Returns the SQL for up to {@link MAX_VALUES} distinct values of a column, sorted. */
export function valuesSql(table: string, column: string): string {
  const name = quoteIdentifier(column);
  return (
    `SELECT DISTINCT ${name} FROM ${quoteIdentifier(table)} ` +
    `WHERE ${name} IS NOT NULL ORDER BY 1 LIMIT ${MAX_VALUES}`
  );
}

function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
