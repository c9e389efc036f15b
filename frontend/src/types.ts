import type { DataSourceJsonData } from '@grafana/data';
import type { DataQuery } from '@grafana/schema';

export type QueryType = 'metrics' | 'sql' | 'annotations';

/** A query of any type. Properties of other types stay, so that the editor can switch back. */
export interface OuraQuery
  extends DataQuery, Partial<MetricsPart>, Partial<SqlPart>, Partial<AnnotationsPart> {
  /** Default: `sql`. */
  queryType?: QueryType;
}

export type Format = 'table' | 'time_series';

/** The method that thins out a series with more points than the panel can show. */
export type Downsample = 'auto' | 'off' | 'minmax' | 'lttb';

export interface SqlPart {
  rawSql: string;
  /** Values of `?1`, `?2`, … in order. */
  params: Array<string | number | boolean | null>;
  format: Format;
  /** Applies to time series. */
  downsample: Downsample;
}

export interface MetricsPart {
  metrics: Metric[];
  aggregate: Aggregate;
  /** `auto`, `raw`, a calendar `day`, `week`, `month` or `year`, or an interval such as `5m`. */
  every: string;
  filters: Filter[];
  /** Days, the current one included. 0: no moving average. */
  movingAverage: number;
  /** Days before each value. 0: no baseline. */
  baseline: number;
  /** Days by which every metric moves later. Negative: earlier. */
  shift: number;
  downsample: Downsample;
}

/** A metric's name, such as `sleep.average_hrv`, or with options of its own. */
export type Metric = string | { name: string; aggregate?: Aggregate; shift?: number };

export type Aggregate = 'avg' | 'min' | 'max' | 'sum' | 'count' | 'median' | 'p10' | 'p90' | 'last';

export interface Filter {
  column: string;
  operator: FilterOperator;
  value?: FilterValue;
  /** For `in` and `not in`. */
  values?: FilterValue[];
}

export type FilterOperator =
  '=' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in' | 'like' | 'is null' | 'is not null';

export type FilterValue = string | number | boolean;

export interface AnnotationsPart {
  /** Names from {@link Schema.annotations}. Empty: all. */
  kinds: string[];
}

export const DEFAULT_METRICS: MetricsPart = {
  metrics: [],
  aggregate: 'avg',
  every: 'auto',
  filters: [],
  movingAverage: 0,
  baseline: 0,
  shift: 0,
  downsample: 'auto',
};

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

export interface OuraOptions extends DataSourceJsonData {
  clientId?: string;
  /** Separated by spaces. Empty: all scopes. */
  scopes?: string;
  /** IANA name. Empty: UTC. */
  timezone?: string;
  syncIntervalMinutes?: number;
  /** `YYYY-MM-DD`. Default: import backwards until two consecutive years have no data. */
  historyStart?: string;
  /** Whether to use the data of a synthetic person instead of a login. */
  demo?: boolean;
}

export interface OuraSecrets {
  clientSecret?: string;
}

/** Response of `GET status`. Instants are RFC 3339, days `YYYY-MM-DD`. */
export interface Status {
  state: ConnectionState;
  reason: string | null;
  /** The granted scopes. Empty if Oura did not return them. */
  scopes: string[];
  sync: SyncStatus;
  /** Version of Oura's API: `1.43`. */
  specification: string;
  /** Last check for a newer version. */
  specificationCheckedAt: string | null;
  collections: CollectionStatus[];
}

export type ConnectionState = 'not_configured' | 'not_connected' | 'connected' | 'reconnect_needed';

export interface SyncStatus {
  running: boolean;
  /** 0 to 100, of the current or last run. */
  percent: number;
  run: number | null;
  /** Fetched by the current or last run. */
  documents: number;
  /** Estimate for the current run. */
  secondsLeft: number | null;
  lastSync: string | null;
  nextSync: string | null;
  /** Why the last run failed, for display. */
  failure: string | null;
}

export interface CollectionStatus {
  name: string;
  documents: number;
  firstDay: string | null;
  lastDay: string | null;
  lastSync: string | null;
  state: string;
  reason: string | null;
  /** Completeness of the last 30 days, in one line. */
  summary: string;
}

/** Response of `GET schema`: the names that a query can use. */
export interface Schema {
  tables: SchemaTable[];
  metrics: SchemaMetric[];
  annotations: SchemaAnnotation[];
  macros: SchemaMacro[];
  /** Functions in addition to SQLite's. */
  functions: SchemaFunction[];
  /** SQLite's allowed functions by name, and a few operators. */
  sqliteFunctions: string[];
}

export interface SchemaTable {
  name: string;
  description: string;
  columns: SchemaColumn[];
}

export interface SchemaColumn {
  name: string;
  type: string;
  /** Grafana's unit id: `s`, `celsius`, `suffix: ms`, … */
  unit: string | null;
  description: string | null;
}

export interface SchemaMetric {
  /** `nights.average_hrv`. */
  name: string;
  /** A short label. */
  title: string;
  /** The table with the columns for filters. */
  table: string;
  unit: string | null;
  description: string;
}

/** A type of event for annotations. */
export interface SchemaAnnotation {
  /** `rest_mode`. */
  name: string;
  description: string;
}

export interface SchemaMacro {
  /** Without the `$`: `__timeFilter`. */
  name: string;
  /** With its arguments: `$__timeFilter(column)`. */
  usage: string;
  description: string;
}

export interface SchemaFunction {
  /** `median`. */
  name: string;
  /** With its arguments: `median(x)`. */
  usage: string;
  description: string;
}
