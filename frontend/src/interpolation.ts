/** Dashboard variables in SQL. Macros (`$__timeFilter`, `$__interval`, …) stay as they are: the backend expands them, for alert rules too. */
import type { ScopedVars } from '@grafana/data';
import { getTemplateSrv } from '@grafana/runtime';

interface Variable {
  multi?: boolean;
  includeAll?: boolean;
}

type Value = string | number | Array<string | number>;

const BACKEND_MACROS = ['__interval', '__interval_ms'];

export function interpolateSql(sql: string, scopedVars: ScopedVars): string {
  const variables = Object.fromEntries(Object.entries(scopedVars).filter(([name]) => !BACKEND_MACROS.includes(name)));
  return getTemplateSrv().replace(sql, variables, formatValue);
}

/**
 * A variable that may hold several values becomes a list of literals, for `IN ($variable)`. One that holds a single value
 * stands bare, since the query's author writes the quotes around it: only quotes within it are doubled.
 */
export function formatValue(value: Value, variable: Variable): string {
  if (Array.isArray(value)) {
    return value.map(literal).join(',');
  }
  if (variable.multi || variable.includeAll) {
    return literal(value);
  }
  return escapeQuotes(String(value));
}

function literal(value: string | number): string {
  return typeof value === 'number' ? String(value) : `'${escapeQuotes(value)}'`;
}

function escapeQuotes(text: string): string {
  return text.replaceAll("'", "''");
}
