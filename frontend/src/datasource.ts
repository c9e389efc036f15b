import type {
  AdHocVariableFilter,
  AnnotationSupport,
  CoreApp,
  DataSourceGetTagValuesOptions,
  DataSourceInstanceSettings,
  MetricFindValue,
  ScopedVars,
} from '@grafana/data';
import { DataSourceWithBackend } from '@grafana/runtime';

import { listFilterKeys, selectFilters, splitKey } from './adhoc';
import { OuraAnnotations } from './annotations';
import { expandVariables, interpolateFilter, interpolateSql } from './interpolation';
import { describeMetricsQuery } from './metrics';
import { Resources } from './resources';
import { completeQuery } from './savedQuery';
import type { SchemaSource } from './schemaSource';
import {
  DEFAULT_METRICS,
  DEFAULT_QUERY,
  type OuraOptions,
  type Metric,
  type OuraQuery,
  type Schema,
} from './types';
import { OuraVariables } from './variables';

/** Suggested values per column. */
const MAX_VALUES = 100;

export class OuraDataSource
  extends DataSourceWithBackend<OuraQuery, OuraOptions>
  implements SchemaSource
{
  annotations: AnnotationSupport<OuraQuery> = new OuraAnnotations();
  variables = new OuraVariables((request) => this.query(request));

  private readonly resources: Resources;
  private schema?: Promise<Schema>;

  constructor(settings: DataSourceInstanceSettings<OuraOptions>) {
    super(settings);
    this.resources = new Resources(settings.uid);
  }

  getDefaultQuery(_app: CoreApp): Partial<OuraQuery> {
    return DEFAULT_QUERY;
  }

  filterQuery(saved: OuraQuery): boolean {
    const { queryType, metrics, rawSql } = completeQuery(saved);
    switch (queryType) {
      case 'metrics':
        return Boolean(metrics?.length);
      case 'annotations':
        return true;
      default:
        return Boolean(rawSql?.trim());
    }
  }

  getQueryDisplayText(query: OuraQuery): string {
    return query.queryType === 'metrics'
      ? describeMetricsQuery({ ...DEFAULT_METRICS, ...query })
      : (query.rawSql ?? '');
  }

  /**
   * Replaces dashboard variables. Ad-hoc filters apply to metrics queries only: SQL can name
   * several tables, and only its author knows which one a filter belongs to.
   */
  applyTemplateVariables(
    saved: OuraQuery,
    scopedVars: ScopedVars,
    adHoc: AdHocVariableFilter[] = []
  ): OuraQuery {
    const query = completeQuery(saved);
    switch (query.queryType) {
      case 'metrics': {
        const days = (value?: number | string) => expandDays(value, scopedVars);
        const metrics = (query.metrics ?? []).flatMap<Metric>((metric) =>
          typeof metric === 'string'
            ? expandVariables(metric, scopedVars)
            : [{ ...metric, ...('shift' in metric && { shift: days(metric.shift) }) }]
        );
        const filters = (query.filters ?? []).map((filter) =>
          interpolateFilter(filter, scopedVars)
        );
        const every = expandStep(query.every ?? DEFAULT_METRICS.every, scopedVars);
        return {
          ...query,
          metrics,
          every,
          movingAverage: days(query.movingAverage),
          baseline: days(query.baseline),
          shift: days(query.shift),
          filters: [...filters, ...selectFilters(metrics, adHoc)],
        };
      }
      case 'annotations':
        return query;
      default:
        return { ...query, rawSql: interpolateSql(query.rawSql ?? '', scopedVars) };
    }
  }

  /** Returns the schema, fetched once. A failed request is retried by the next call. */
  getSchema(): Promise<Schema> {
    this.schema ??= this.resources.schema().catch((error) => {
      this.schema = undefined;
      throw error;
    });
    return this.schema;
  }

  /** Returns the columns for ad-hoc filters. */
  async getTagKeys(): Promise<MetricFindValue[]> {
    return listFilterKeys(await this.getSchema());
  }

  /** Returns the values of an ad-hoc filter's column. */
  async getTagValues({
    key,
  }: DataSourceGetTagValuesOptions<OuraQuery>): Promise<MetricFindValue[]> {
    const parts = splitKey(key);
    return parts ? (await this.getValues(...parts)).map((text) => ({ text, value: text })) : [];
  }

  /** Returns up to {@link MAX_VALUES} distinct values of a column as text, sorted. */
  getValues = async (table: string, column: string): Promise<string[]> => {
    const name = quoteIdentifier(column);
    const { rows } = await this.resources.sql(
      `SELECT DISTINCT ${name} FROM ${quoteIdentifier(table)} ` +
        `WHERE ${name} IS NOT NULL ORDER BY 1 LIMIT ${MAX_VALUES}`
    );
    return rows.map(([value]) => String(value));
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

function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
