/** The metrics builder's options and values. */
import { formatUnit } from './format';
import type {
  FilterOperator,
  FilterValue,
  Metric,
  MetricsPart,
  Schema,
  SchemaTable,
} from './types';

export interface Option {
  value: string;
  label: string;
  description?: string;
  group?: string;
}

/** Lists every metric, grouped by table. */
export function listMetricOptions({ metrics }: Schema): Option[] {
  return metrics.map(({ name, title, table, unit, description }) => ({
    value: name,
    label: name,
    description: [description || title, unit && formatUnit(unit)].filter(Boolean).join(' · '),
    group: table,
  }));
}

/** Lists the columns that filters can use: those of the selected metrics' tables, each once. */
export function listColumnOptions(schema: Schema, selected: Metric[]): Option[] {
  const columns = findTables(schema, selected).flatMap(({ columns }) => columns);
  const options = columns.map(({ name, description }) => ({
    value: name,
    label: name,
    description: description ?? undefined,
  }));
  return Array.from(new Map(options.map((option) => [option.value, option])).values());
}

/** Finds the selected metrics' table that has the column, to look up its values. */
export function findTable(schema: Schema, selected: Metric[], column: string): string | undefined {
  return findTables(schema, selected).find(({ columns }) =>
    columns.some(({ name }) => name === column)
  )?.name;
}

export function metricName(metric: Metric): string {
  return typeof metric === 'string' ? metric : metric.name;
}

/** Returns the metrics with these names. A metric that was selected before keeps its options. */
export function selectMetrics(previous: Metric[], names: string[]): Metric[] {
  return names.map((name) => previous.find((metric) => metricName(metric) === name) ?? name);
}

/** Parses a typed filter value: a boolean, a number, or text. */
export function parseValue(text: string): FilterValue {
  if (text === 'true' || text === 'false') {
    return text === 'true';
  }
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}

/** Returns the number of values that an operator compares with. */
export function operandCount(operator: FilterOperator): 'none' | 'one' | 'several' {
  switch (operator) {
    case 'is null':
    case 'is not null':
      return 'none';
    case 'in':
    case 'not in':
      return 'several';
    default:
      return 'one';
  }
}

/** Describes a query in one line, for a collapsed query row. */
export function describeMetricsQuery({ metrics, aggregate, every }: MetricsPart): string {
  const names = metrics.map(metricName).join(', ');
  if (every === 'raw') {
    return names;
  }
  return `${aggregate} of ${names} per ${every === 'auto' ? 'panel interval' : every}`;
}

function findTables({ metrics, tables }: Schema, selected: Metric[]): SchemaTable[] {
  const names = new Set(selected.map(metricName));
  const wanted = new Set(metrics.filter(({ name }) => names.has(name)).map(({ table }) => table));
  return tables.filter(({ name }) => wanted.has(name));
}
