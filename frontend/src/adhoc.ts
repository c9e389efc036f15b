/** A dashboard's ad-hoc filters: which columns they may name, and what they become in a metrics query. Knows nothing of components. */
import type { AdHocVariableFilter, MetricFindValue } from '@grafana/data';

import { nameOf, typed } from './metrics';
import type { Filter, FilterOperator, Metric, Schema } from './types';

/** What the tables hold that is no property of a measurement. */
const OURS = ['document', 'extra'];

/** Operators that Grafana calls something else. Those that are not here are called the same. */
const OPERATORS: Record<string, FilterOperator> = { '=|': 'in', '!=|': 'not in' };

/** `table.column` of every table with metrics. A moment is chosen with the dashboard's time range instead. */
export function filterKeys({ metrics, tables }: Schema): MetricFindValue[] {
  const measured = new Set(metrics.map(({ table }) => table));
  return tables
    .filter(({ name }) => measured.has(name))
    .flatMap(({ name: table, columns }) =>
      columns
        .filter(({ name, type }) => type !== 'time' && !OURS.includes(name))
        .map(({ name }) => ({ text: `${table}.${name}`, value: `${table}.${name}`, group: table }))
    );
}

/** The table and the column of a key. */
export function partsOf(key: string): [table: string, column: string] | undefined {
  const [table, column, ...more] = key.split('.');
  return table && column && more.length === 0 ? [table, column] : undefined;
}

/**
 * The filters that concern any of these metrics: a dashboard shows other tables, too, and the backend refuses a filter that
 * concerns nothing. A column without its table may be one of theirs; whether it is, the backend knows.
 */
export function filtersOn(metrics: Metric[], filters: AdHocVariableFilter[]): Filter[] {
  const tables = new Set(metrics.map((metric) => partsOf(nameOf(metric))?.[0]));
  return filters
    .filter(({ key }) => key && (!key.includes('.') || tables.has(partsOf(key)?.[0])))
    .map(asFilter);
}

function asFilter({ key: column, operator, value, values = [] }: AdHocVariableFilter): Filter {
  const several = OPERATORS[operator];
  if (several) {
    return { column, operator: several, values: (values.length > 0 ? values : [value]).map(typed) };
  }
  return (
    fromPattern(column, operator, value) ?? {
      column,
      operator: operator as FilterOperator,
      value: typed(value),
    }
  );
}

/**
 * Grafana offers regular expressions whatever a data source can do. Words with `|` between them are a list, and a word within
 * `.*` is a part of the text; the backend says of any other pattern that it does not know the operator.
 */
function fromPattern(column: string, operator: string, pattern: string): Filter | undefined {
  const isNegated = operator === '!~';
  if (operator !== '=~' && !isNegated) {
    return undefined;
  }
  if (/^[\w \-|]+$/.test(pattern)) {
    return { column, operator: isNegated ? 'not in' : 'in', values: pattern.split('|').map(typed) };
  }
  const [, part] = /^\.\*([a-zA-Z0-9 -]+)\.\*$/.exec(pattern) ?? [];
  return part && !isNegated ? { column, operator: 'like', value: `%${part}%` } : undefined;
}
