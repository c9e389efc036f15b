/** Formatting of SQL. The formatter is large, so it loads with its first use. */

/** Formats SQLite's dialect. Leaves macros and variables alone. */
export async function formatSql(sql: string): Promise<string> {
  const { formatDialect, sqlite } = await import('sql-formatter');
  return formatDialect(sql, {
    dialect: sqlite,
    keywordCase: 'upper',
    paramTypes: {
      custom: [
        // Macros with their arguments, up to two levels of parentheses, and macros without.
        { regex: String.raw`\$__\w+(?:\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))?` },
        { regex: String.raw`\$\{[^}]*\}` },
        { regex: String.raw`\$\w+` },
      ],
      numbered: ['?'],
    },
  });
}
