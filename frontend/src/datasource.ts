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
import { interpolateFilter, interpolateSql, expandVariables } from './interpolation';
import { inWords } from './metrics';
import { Resources } from './resources';
import {
  DEFAULT_METRICS,
  DEFAULT_QUERY,
  type OuraOptions,
  type Metric,
  type OuraQuery,
  type Schema,
} from './types';
import { OuraVariables } from './variables';

const MAX_VALUES = 100;

export class OuraDataSource extends DataSourceWithBackend<OuraQuery, OuraOptions> {
  annotations: AnnotationSupport<OuraQuery> = new OuraAnnotations();
  variables = new OuraVariables(this);

  private readonly resources: Resources;
  private schema?: Promise<Schema>;

  constructor(settings: DataSourceInstanceSettings<OuraOptions>) {
    super(settings);
    this.resources = new Resources(settings.uid);
  }

  getDefaultQuery(_app: CoreApp): Partial<OuraQuery> {
    return DEFAULT_QUERY;
  }

  filterQuery({ queryType, metrics, rawSql }: OuraQuery): boolean {
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
      ? inWords({ ...DEFAULT_METRICS, ...query })
      : (query.rawSql ?? '');
  }

  /** Ad-hoc filters are for metrics. SQL is run as it is written: which of its tables a condition would belong to, only its author knows. */
  applyTemplateVariables(
    query: OuraQuery,
    scopedVars: ScopedVars,
    adHoc: AdHocVariableFilter[] = []
  ): OuraQuery {
    switch (query.queryType) {
      case 'metrics': {
        const { metrics = [], filters = [] } = query;
        const named = metrics.flatMap<Metric>((metric) =>
          typeof metric === 'string' ? expandVariables(metric, scopedVars) : [metric]
        );
        const own = filters.map((filter) => interpolateFilter(filter, scopedVars));
        return { ...query, metrics: named, filters: [...own, ...selectFilters(named, adHoc)] };
      }
      case 'annotations':
        return query;
      default:
        return { ...query, rawSql: interpolateSql(query.rawSql ?? '', scopedVars) };
    }
  }

  /** Asked once; a failure is not kept. */
  getSchema(): Promise<Schema> {
    this.schema ??= this.resources.schema().catch((error) => {
      this.schema = undefined;
      throw error;
    });
    return this.schema;
  }

  /** The columns that ad-hoc filters may name. */
  async getTagKeys(): Promise<MetricFindValue[]> {
    return listFilterKeys(await this.getSchema());
  }

  async getTagValues({
    key,
  }: DataSourceGetTagValuesOptions<OuraQuery>): Promise<MetricFindValue[]> {
    const parts = splitKey(key);
    return parts ? (await this.getValues(...parts)).map((text) => ({ text, value: text })) : [];
  }

  /** Up to {@link MAX_VALUES} values of a column, as text, for a list to choose from. */
  getValues = async (table: string, column: string): Promise<string[]> => {
    const [name, of] = [quoteIdentifier(column), quoteIdentifier(table)];
    const { rows } = await this.resources.sql(
      `SELECT DISTINCT ${name} FROM ${of} WHERE ${name} IS NOT NULL ORDER BY 1 LIMIT ${MAX_VALUES}`
    );
    return rows.map(([value]) => String(value));
  };
}

function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
