/** A dashboard's ad-hoc filters: the columns to choose from, and their form in a metrics query. */
import type { AdHocVariableFilter, MetricFindValue } from '@grafana/data';

import { isFilterColumn, metricName, parseValue } from './metrics';
import type { Filter, FilterOperator, Metric, Schema } from './types';

/** Grafana's list operators by our names. Grafana and the backend share the other names. */
const LIST_OPERATORS: Record<string, FilterOperator> = { '=|': 'in', '!=|': 'not in' };

/**
 * Lists `table.column` for every table with metrics. Time columns are left out, because the
 * dashboard's time range selects those.
 */
export function listFilterKeys({ metrics, tables }: Schema): MetricFindValue[] {
  const withMetrics = new Set(metrics.map(({ table }) => table));
  return tables
    .filter(({ name }) => withMetrics.has(name))
    .flatMap(({ name: table, columns }) =>
      columns
        .filter(isFilterColumn)
        .map(({ name }) => ({ text: `${table}.${name}`, value: `${table}.${name}`, group: table }))
    );
}

/** Splits `table.column`. Returns `undefined` for any other key. */
export function splitKey(key: string): [table: string, column: string] | undefined {
  const [table, column, ...rest] = key.split('.');
  return table && column && rest.length === 0 ? [table, column] : undefined;
}

/**
 * Selects the filters on tables of these metrics. A dashboard's filters can name other tables
 * too, and the backend rejects a filter that matches no metric. A column without a table is kept:
 * the backend resolves it.
 */
export function selectFilters(metrics: Metric[], filters: AdHocVariableFilter[]): Filter[] {
  const tables = new Set(metrics.map((metric) => splitKey(metricName(metric))?.[0]));
  return filters
    .filter(({ key }) => key && (!key.includes('.') || tables.has(splitKey(key)?.[0])))
    .map(toFilter);
}

function toFilter({ key: column, operator, value, values = [] }: AdHocVariableFilter): Filter {
  const listOperator = LIST_OPERATORS[operator];
  if (listOperator) {
    const list = values.length > 0 ? values : [value];
    return { column, operator: listOperator, values: list.map(parseValue) };
  }
  return (
    parsePattern(column, operator, value) ?? {
      column,
      operator: operator as FilterOperator,
      value: parseValue(value),
    }
  );
}

/**
 * Translates the regular expressions that have a plain equivalent: words separated by `|` become a
 * list, a word within `.*` becomes LIKE. Grafana offers these operators for every data source. The
 * backend rejects other patterns with an error that names the operator.
 */
function parsePattern(column: string, operator: string, pattern: string): Filter | undefined {
  const isNegated = operator === '!~';
  if (operator !== '=~' && !isNegated) {
    return undefined;
  }
  if (/^[\w \-|]+$/.test(pattern)) {
    const values = pattern.split('|').map(parseValue);
    return { column, operator: isNegated ? 'not in' : 'in', values };
  }
  const [, part] = /^\.\*([a-zA-Z0-9 -]+)\.\*$/.exec(pattern) ?? [];
  return part && !isNegated ? { column, operator: 'like', value: `%${part}%` } : undefined;
}
