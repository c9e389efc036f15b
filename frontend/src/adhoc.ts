/** A dashboard's ad-hoc filters: which columns they may name, and what they become in a metrics query. Knows nothing of components. */
import type { AdHocVariableFilter, MetricFindValue } from '@grafana/data';

import { metricName, parseValue } from './metrics';
import type { Filter, FilterOperator, Metric, Schema } from './types';

/** What the tables hold that is no property of a measurement. */
const INTERNAL_COLUMNS = ['document', 'extra'];

/** Operators that Grafana calls something else. Those that are not here are called the same. */
const OPERATORS: Record<string, FilterOperator> = { '=|': 'in', '!=|': 'not in' };

/** `table.column` of every table with metrics. A moment is chosen with the dashboard's time range instead. */
export function listFilterKeys({ metrics, tables }: Schema): MetricFindValue[] {
  const measured = new Set(metrics.map(({ table }) => table));
  return tables
    .filter(({ name }) => measured.has(name))
    .flatMap(({ name: table, columns }) =>
      columns
        .filter(({ name, type }) => type !== 'time' && !INTERNAL_COLUMNS.includes(name))
        .map(({ name }) => ({ text: `${table}.${name}`, value: `${table}.${name}`, group: table }))
    );
}

/** The table and the column of a key. */
export function splitKey(key: string): [table: string, column: string] | undefined {
  const [table, column, ...more] = key.split('.');
  return table && column && more.length === 0 ? [table, column] : undefined;
}

/**
 * The filters that concern any of these metrics: a dashboard shows other tables, too, and the backend refuses a filter that
 * concerns nothing. A column without its table may be one of theirs; whether it is, the backend knows.
 */
export function selectFilters(metrics: Metric[], filters: AdHocVariableFilter[]): Filter[] {
  const tables = new Set(metrics.map((metric) => splitKey(metricName(metric))?.[0]));
  return filters
    .filter(({ key }) => key && (!key.includes('.') || tables.has(splitKey(key)?.[0])))
    .map(toFilter);
}

function toFilter({ key: column, operator, value, values = [] }: AdHocVariableFilter): Filter {
  const several = OPERATORS[operator];
  if (several) {
    return {
      column,
      operator: several,
      values: (values.length > 0 ? values : [value]).map(parseValue),
    };
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
 * Grafana offers regular expressions whatever a data source can do. Words with `|` between them are a list, and a word within
 * `.*` is a part of the text; the backend says of any other pattern that it does not know the operator.
 */
function parsePattern(column: string, operator: string, pattern: string): Filter | undefined {
  const isNegated = operator === '!~';
  if (operator !== '=~' && !isNegated) {
    return undefined;
  }
  if (/^[\w \-|]+$/.test(pattern)) {
    return {
      column,
      operator: isNegated ? 'not in' : 'in',
      values: pattern.split('|').map(parseValue),
    };
  }
  const [, part] = /^\.\*([a-zA-Z0-9 -]+)\.\*$/.exec(pattern) ?? [];
  return part && !isNegated ? { column, operator: 'like', value: `%${part}%` } : undefined;
}
