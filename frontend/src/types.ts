/** The frontend's types. The types shared with the backend come from {@link ./contract}. */
import type { DataSourceJsonData } from '@grafana/data';
import type { DataQuery } from '@grafana/schema';

import {
  type AnnotationsQuery,
  DEFAULT_METRICS_QUERY,
  type Filter,
  type MetricsQuery,
  type QueryType,
  type Settings,
  type SqlQuery,
} from './contract';

export type {
  Aggregate,
  CollectionState,
  CollectionStatus,
  ConnectionState,
  Downsample,
  Filter,
  FilterOperator,
  Format,
  Metric,
  QueryType,
  Schema,
  SchemaAnnotation,
  SchemaColumn,
  SchemaFunction,
  SchemaMacro,
  SchemaMetric,
  SchemaTable,
  Status,
  SyncStatus,
} from './contract';

/** The `id` in plugin.json. */
export const PLUGIN_ID = 'ringside-oura-datasource';

export type SqlPart = SqlQuery;
export type MetricsPart = MetricsQuery;
export type AnnotationsPart = AnnotationsQuery;

/** A query of any type. Fields of the other types stay, so that the editor can switch back. */
export interface OuraQuery
  extends DataQuery, Partial<MetricsPart>, Partial<SqlPart>, Partial<AnnotationsPart> {
  /** Queries without a type are SQL. */
  queryType?: QueryType;
  /** The options of a dashboard variable, if they are not the result of its SQL. */
  options?: OptionsSource;
}

/** A source of a variable's options other than SQL. Only this frontend reads it. */
export type OptionsSource =
  | { type: 'values'; table: string; column: string }
  | { type: 'metrics'; /** All groups, if it is missing. */ group?: string };

export type FilterValue = NonNullable<Filter['value']>;

export const DEFAULT_METRICS = DEFAULT_METRICS_QUERY;

export const DEFAULT_SQL: SqlPart = {
  rawSql: `SELECT time, sleep_score, readiness_score, activity_score
FROM days
WHERE $__timeFilter(time)
ORDER BY time`,
  params: [],
  format: 'time_series',
  downsample: 'auto',
};

/** The query of a new panel. */
export const DEFAULT_QUERY: Partial<OuraQuery> = {
  queryType: 'metrics',
  ...DEFAULT_METRICS,
  metrics: ['days.sleep_score', 'days.readiness_score', 'days.activity_score'],
};

export interface OuraOptions extends DataSourceJsonData, Partial<Settings> {}

export interface OuraSecrets {
  clientSecret?: string;
}
