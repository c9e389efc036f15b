/** Dashboard variables in queries. Macros (`$__timeFilter`, `$__interval`, …) stay as they are: the backend expands them, for alert rules too. */
import type { ScopedVars } from '@grafana/data';
import { getTemplateSrv } from '@grafana/runtime';

import { operandCount, parseValue } from './metrics';
import type { Filter, FilterValue } from './types';

interface Variable {
  multi?: boolean;
  includeAll?: boolean;
}

type Value = string | number | Array<string | number>;

const BACKEND_MACROS = ['__interval', '__interval_ms'];

/** The dashboard's variables as a query writes them: `$activity`. */
export function listVariableNames(): string[] {
  return getTemplateSrv()
    .getVariables()
    .map(({ name }) => `$${name}`);
}

export function interpolateSql(sql: string, scopedVars: ScopedVars): string {
  const variables = Object.fromEntries(
    Object.entries(scopedVars).filter(([name]) => !BACKEND_MACROS.includes(name))
  );
  return getTemplateSrv().replace(sql, variables, formatValue);
}

/**
 * A variable that may hold several values becomes a list of literals, for `IN ($variable)`. One that holds a single value
 * stands bare, since the query's author writes the quotes around it: only quotes within it are doubled.
 */
export function formatValue(value: Value, variable: Variable): string {
  if (Array.isArray(value)) {
    return value.map(quoteLiteral).join(',');
  }
  if (variable.multi || variable.includeAll) {
    return quoteLiteral(value);
  }
  return escapeQuotes(String(value));
}

/** A filter compares with what its variables hold; `in` and `not in` with every value of a variable that holds several. */
export function interpolateFilter(filter: Filter, scopedVars: ScopedVars): Filter {
  const of = (value: FilterValue) =>
    typeof value === 'string' && value.includes('$')
      ? expandVariables(value, scopedVars).map(parseValue)
      : [value];
  const { operator, value, values = [] } = filter;
  return operandCount(operator) === 'several'
    ? { ...filter, values: values.flatMap(of) }
    : { ...filter, value: value === undefined ? undefined : of(value)[0] };
}

/** A text that is one variable alone stands for each of the variable's values; any other for the text it becomes. */
export function expandVariables(text: string, scopedVars: ScopedVars): string[] {
  let held: string[] = [];
  const replaced = getTemplateSrv().replace(text, scopedVars, (value: Value) => {
    held = [value].flat().map(String);
    return held.join(',');
  });
  return held.join(',') === replaced ? held : [replaced];
}

function quoteLiteral(value: string | number): string {
  return typeof value === 'number' ? String(value) : `'${escapeQuotes(value)}'`;
}

function escapeQuotes(text: string): string {
  return text.replaceAll("'", "''");
}
