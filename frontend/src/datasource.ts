import type {
  AdHocVariableFilter,
  AnnotationSupport,
  CoreApp,
  DataQueryRequest,
  DataQueryResponse,
  DataSourceGetTagValuesOptions,
  DataSourceInstanceSettings,
  MetricFindValue,
  ScopedVars,
} from '@grafana/data';
import { DataSourceWithBackend } from '@grafana/runtime';
import { type Observable, map } from 'rxjs';

import { listFilterKeys, selectFilters, splitKey } from './adhoc';
import { ANNOTATION_REF_ID, OuraAnnotations, completeEvents } from './annotations';
import { interpolateMetrics, interpolateSql } from './interpolation';
import { describeMetricsQuery } from './metrics';
import { Resources } from './resources';
import { completeQuery } from './savedQuery';
import type { SchemaSource } from './schemaSource';
import { valuesSql } from './sql/values';
import {
  DEFAULT_METRICS,
  DEFAULT_QUERY,
  type OuraOptions,
  type OuraQuery,
  type Schema,
} from './types';
import { OuraVariables } from './variables';

export class OuraDataSource
  extends DataSourceWithBackend<OuraQuery, OuraOptions>
  implements SchemaSource
{
  annotations: AnnotationSupport<OuraQuery> = new OuraAnnotations();
  variables = new OuraVariables(
    (request) => this.query(request),
    () => this.getSchema()
  );

  private readonly resources: Resources;
  private schema?: Promise<Schema>;

  constructor(settings: DataSourceInstanceSettings<OuraOptions>) {
    super(settings);
    this.resources = new Resources(settings.uid);
  }

  getDefaultQuery(_app: CoreApp): Partial<OuraQuery> {
    return DEFAULT_QUERY;
  }

  query(request: DataQueryRequest<OuraQuery>): Observable<DataQueryResponse> {
    const responses = super.query(request);
    return request.targets.some(({ refId }) => refId === ANNOTATION_REF_ID)
      ? responses.pipe(map((each) => ({ ...each, data: each.data.map(completeEvents) })))
      : responses;
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
        const { metrics = [], filters = [], ...part } = interpolateMetrics(query, scopedVars);
        return {
          ...query,
          ...part,
          metrics,
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

  /** Returns distinct values of a column as text, sorted. */
  getValues = async (table: string, column: string): Promise<string[]> => {
    const { rows } = await this.resources.sql(valuesSql(table, column));
    return rows.map(([value]) => String(value));
  };
}
