/** What the metrics builder offers, of what the schema lists. Knows nothing of components. */
import type {
  FilterOperator,
  FilterValue,
  Metric,
  MetricsPart,
  Schema,
  SchemaTable,
} from './types';
import { formatUnit } from './format';

export interface Option {
  value: string;
  label: string;
  description?: string;
  group?: string;
}

/** Every metric, under the table it is of. */
export function listMetricOptions({ metrics }: Schema): Option[] {
  return metrics.map(({ name, title, table, unit, description }) => ({
    value: name,
    label: name,
    description: [description || title, unit && formatUnit(unit)].filter(Boolean).join(' · '),
    group: table,
  }));
}

/** The columns of the chosen metrics' tables, which filters may name. */
export function listColumnOptions(schema: Schema, chosen: Metric[]): Option[] {
  const columns = findTables(schema, chosen).flatMap(({ columns }) => columns);
  const options = columns.map(({ name, description }) => ({
    value: name,
    label: name,
    description: description ?? undefined,
  }));
  return Array.from(new Map(options.map((option) => [option.value, option])).values());
}

/** A table of the chosen metrics that has the column: where its values can be looked up. */
export function findTable(schema: Schema, chosen: Metric[], column: string): string | undefined {
  return findTables(schema, chosen).find(({ columns }) =>
    columns.some(({ name }) => name === column)
  )?.name;
}

export function metricName(metric: Metric): string {
  return typeof metric === 'string' ? metric : metric.name;
}

/** The chosen metrics of these names. What one of them says beside its name stays. */
export function choose(metrics: Metric[], names: string[]): Metric[] {
  return names.map((name) => metrics.find((metric) => metricName(metric) === name) ?? name);
}

/** Of a filter as it is typed: `7` is a number, `true` a yes or no, the rest text. */
export function parseValue(text: string): FilterValue {
  if (text === 'true' || text === 'false') {
    return text === 'true';
  }
  return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}

/** How many values an operator compares with. */
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

/** In one line, for a collapsed query row. */
export function inWords({ metrics, aggregate, every }: MetricsPart): string {
  const what = metrics.map(metricName).join(', ');
  return every === 'raw'
    ? what
    : `${aggregate} of ${what}, ${every === 'auto' ? 'by the panel’s interval' : `by ${every}`}`;
}

function findTables({ metrics, tables }: Schema, chosen: Metric[]): SchemaTable[] {
  const names = new Set(chosen.map(metricName));
  const wanted = new Set(metrics.filter(({ name }) => names.has(name)).map(({ table }) => table));
  return tables.filter(({ name }) => wanted.has(name));
}
