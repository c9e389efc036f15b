/**
 * Dashboard variables in queries. Macros (`$__timeFilter`, `$__interval`, …) stay unchanged: the
 * backend expands them, so that alert rules can use them too.
 */
import type { ScopedVars } from '@grafana/data';
import { getTemplateSrv } from '@grafana/runtime';

import { isComplete, operandCount, parseValue } from './metrics';
import {
  DEFAULT_METRICS,
  type Filter,
  type FilterValue,
  type Metric,
  type MetricsPart,
} from './types';

/** The properties of a Grafana variable that decide its format. */
interface Variable {
  multi?: boolean;
  includeAll?: boolean;
}

type VariableValue = string | number | Array<string | number>;

/** Grafana's built-in variables that are macros of the backend. */
const BACKEND_MACROS = ['__interval', '__interval_ms'];

/** Lists the dashboard's variables in query form: `$activity`. */
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
 * Formats a variable's value for SQL. A variable that allows several values becomes a list of
 * literals, for `IN ($variable)`. A single-value variable gets no quotes, because the query
 * contains them: only the quotes inside the value are doubled.
 */
export function formatValue(value: VariableValue, variable: Variable): string {
  if (Array.isArray(value)) {
    return value.map(quoteLiteral).join(',');
  }
  if (variable.multi || variable.includeAll) {
    return quoteLiteral(value);
  }
  return escapeQuotes(String(value));
}

/** Replaces the variables in a metrics query: in its metrics, step, days and filters. */
export function interpolateMetrics(
  query: Partial<MetricsPart>,
  scopedVars: ScopedVars
): Partial<MetricsPart> {
  const days = (value?: number | string) => expandDays(value, scopedVars);
  return {
    metrics: query.metrics?.flatMap<Metric>((metric) =>
      typeof metric === 'string'
        ? expandVariables(metric, scopedVars)
        : [{ ...metric, ...('shift' in metric && { shift: days(metric.shift) }) }]
    ),
    every: expandStep(query.every ?? DEFAULT_METRICS.every, scopedVars),
    movingAverage: days(query.movingAverage),
    baseline: days(query.baseline),
    shift: days(query.shift),
    // A filter that is still being written must not hide all data.
    filters: query.filters
      ?.filter(isComplete)
      .map((filter) => interpolateFilter(filter, scopedVars)),
  };
}

/**
 * Replaces the variable in a number of days. A URL can set a variable to any text: text that is not
 * a number of days counts as 0. A query without a variable stays, so that the backend names its
 * mistake.
 */
function expandDays(days: number | string = 0, scopedVars: ScopedVars): number | string {
  if (typeof days !== 'string' || !days.includes('$')) {
    return days;
  }
  const [value = ''] = expandVariables(days, scopedVars);
  return /^-?\d{1,6}$/.test(value.trim()) ? value : 0;
}

/** Replaces the variable in a step. Text that is not a step counts as `auto`. */
function expandStep(step: string, scopedVars: ScopedVars): string {
  if (!step.includes('$')) {
    return step;
  }
  const [value = ''] = expandVariables(step, scopedVars);
  return STEP.test(value) ? value : DEFAULT_METRICS.every;
}

/** The steps that the backend reads: names, and intervals of at least a second. */
const STEP = /^(auto|raw|day|week|month|year|([1-9]\d*[smhdwMy])+)$/;

/**
 * Replaces the variables in a filter's values. `in` and `not in` compare with every value of a
 * multi-value variable, the other operators with its first value.
 */
export function interpolateFilter(filter: Filter, scopedVars: ScopedVars): Filter {
  const { operator, value, values = [] } = filter;
  if (operandCount(operator) === 'several') {
    return { ...filter, values: values.flatMap((each) => expandValue(each, scopedVars)) };
  }
  return { ...filter, value: value === undefined ? undefined : expandValue(value, scopedVars)[0] };
}

function expandValue(value: FilterValue, scopedVars: ScopedVars): FilterValue[] {
  return typeof value === 'string' && value.includes('$')
    ? expandVariables(value, scopedVars).map(parseValue)
    : [value];
}

/** Returns every value of a variable if `text` is only that variable, else the replaced text. */
export function expandVariables(text: string, scopedVars: ScopedVars): string[] {
  let values: string[] = [];
  const replaced = getTemplateSrv().replace(text, scopedVars, (value: VariableValue) => {
    values = [value].flat().map(String);
    return values.join(',');
  });
  return values.join(',') === replaced ? values : [replaced];
}

function quoteLiteral(value: string | number): string {
  return typeof value === 'number' ? String(value) : `'${escapeQuotes(value)}'`;
}

function escapeQuotes(text: string): string {
  return text.replaceAll("'", "''");
}
