/** The metrics builder's options and values. */
import { capitalize, formatUnit } from './format';
import { METRIC_GROUPS, metricGroup } from './metricGroups';
import type {
  Filter,
  FilterOperator,
  FilterValue,
  Metric,
  MetricsPart,
  Schema,
  SchemaColumn,
  SchemaTable,
} from './types';

export interface Option {
  value: string;
  label: string;
  description?: string;
  group?: string;
}

/**
 * Lists every metric with its title, grouped by subject. Of several metrics with a title, the best
 * known has it alone, and the others add their names.
 */
export function listMetricOptions({ metrics }: Schema): Option[] {
  const titles = new Set<string>();
  return metrics
    .map(({ name, title, unit, description }) => ({
      value: name,
      label: capitalize(title || name),
      description: [name, unit && formatUnit(unit), description !== title && description]
        .filter(Boolean)
        .join(' · '),
      group: metricGroup(name),
    }))
    .sort((a, b) => rank(a.value) - rank(b.value))
    .map((option) => {
      const { label, value } = option;
      const isTaken = titles.has(label);
      titles.add(label);
      return isTaken ? { ...option, label: `${label} · ${value}` } : option;
    })
    .sort((a, b) => METRIC_GROUPS.indexOf(a.group) - METRIC_GROUPS.indexOf(b.group));
}

/** The metrics that most people look for, the best known first: scores, then nights and days. */
const BEST_KNOWN = [/^days\.\w+_score$/, /^nights\./, /^days\./];

function rank(name: string): number {
  const found = BEST_KNOWN.findIndex((names) => names.test(name));
  return found < 0 ? BEST_KNOWN.length : found;
}

/** Finds the options that contain every word of `search`, in any of their texts. */
export function searchOptions(options: Option[], search: string): Option[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return options.filter(({ value, label, description = '', group = '' }) => {
    const text = `${label} ${value} ${description} ${group}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** Columns of the store's own bookkeeping, which no measurement has. */
const INTERNAL_COLUMNS = ['document', 'extra'];

/** Returns whether filters offer a column. The panel's time range selects times. */
export function isFilterColumn({ name, type }: SchemaColumn): boolean {
  return type !== 'time' && !INTERNAL_COLUMNS.includes(name);
}

/** Lists the columns that filters can use: those of the selected metrics' tables, each once. */
export function listColumnOptions(schema: Schema, selected: Metric[]): Option[] {
  const columns = findTables(schema, selected)
    .flatMap(({ columns }) => columns)
    .filter(isFilterColumn);
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

/** Returns whether a filter has the values that its operator compares with. */
export function isComplete({ operator, value, values = [] }: Filter): boolean {
  switch (operandCount(operator)) {
    case 'none':
      return true;
    case 'one':
      return value !== undefined;
    case 'several':
      return values.length > 0;
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
