import type { DataSourceJsonData } from '@grafana/data';
import type { DataQuery } from '@grafana/schema';

export type QueryType = 'metrics' | 'sql' | 'annotations';

/** What a query of any type says. Those of the types it is not stay, so that the editor can go back. */
export interface OuraQuery
  extends DataQuery, Partial<MetricsPart>, Partial<SqlPart>, Partial<AnnotationsPart> {
  /** Without one, the query is SQL. */
  queryType?: QueryType;
}

export type Format = 'table' | 'time_series';

/** Which points of a series stay, when it has more than a panel can show. */
export type Downsample = 'auto' | 'off' | 'minmax' | 'lttb';

export interface SqlPart {
  rawSql: string;
  /** Bound to `?1`, `?2`, … in order. */
  params: Array<string | number | boolean | null>;
  format: Format;
  /** Of time series. */
  downsample: Downsample;
}

export interface MetricsPart {
  metrics: Metric[];
  aggregate: Aggregate;
  /** `auto`, `raw`, a calendar's `day`, `week`, `month` or `year`, or an interval: `5m`. */
  every: string;
  filters: Filter[];
  /** Days, the day itself included; 0 is none. */
  movingAverage: number;
  /** Days before each value that its usual range is taken from; 0 is none. */
  baseline: number;
  /** Days by which every metric is drawn later; negative: earlier. */
  shift: number;
  downsample: Downsample;
}

/** `sleep.average_hrv`; or with what is different about this one. */
export type Metric = string | { name: string; aggregate?: Aggregate; shift?: number };

export type Aggregate = 'avg' | 'min' | 'max' | 'sum' | 'count' | 'median' | 'p10' | 'p90' | 'last';

export interface Filter {
  column: string;
  operator: FilterOperator;
  value?: FilterValue;
  /** Of `in` and `not in`. */
  values?: FilterValue[];
}

export type FilterOperator =
  '=' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in' | 'like' | 'is null' | 'is not null';

export type FilterValue = string | number | boolean;

export interface AnnotationsPart {
  /** Of {@link Schema.annotations}; none are all. */
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

/** What a new panel asks. */
export const DEFAULT_QUERY: Partial<OuraQuery> = {
  queryType: 'metrics',
  ...DEFAULT_METRICS,
  metrics: ['days.sleep_score', 'days.readiness_score', 'days.activity_score'],
};

export interface OuraOptions extends DataSourceJsonData {
  clientId?: string;
  /** Separated by spaces; empty asks for all. */
  scopes?: string;
  /** IANA name; empty is UTC. */
  timezone?: string;
  syncIntervalMinutes?: number;
  /** `YYYY-MM-DD`; without one the history is loaded until two empty years. */
  historyStart?: string;
  /** A synthetic person instead of a login. */
  demo?: boolean;
}

export interface OuraSecrets {
  clientSecret?: string;
}

/** `GET status`. Instants are RFC 3339, days `YYYY-MM-DD`. */
export interface Status {
  state: ConnectionState;
  reason: string | null;
  /** As describeScopes; none when Oura did not say. */
  scopes: string[];
  sync: SyncStatus;
  /** Of Oura's API: `1.43`. */
  specification: string;
  /** When Oura was last asked for a newer one. */
  specificationCheckedAt: string | null;
  collections: CollectionStatus[];
}

export type ConnectionState = 'not_configured' | 'not_connected' | 'connected' | 'reconnect_needed';

export interface SyncStatus {
  running: boolean;
  /** 0 to 100, of the run under way or the last one. */
  percent: number;
  run: number | null;
  /** That the run under way or the last one brought. */
  documents: number;
  /** Until the run under way ends, if it goes on as it did so far. */
  secondsLeft: number | null;
  lastSync: string | null;
  nextSync: string | null;
  /** Why the last run ended early, in words for a person. */
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
  /** How complete the last weeks are and why not, in one line. */
  summary: string;
}

/** `GET schema`: what a query may name. */
export interface Schema {
  tables: SchemaTable[];
  metrics: SchemaMetric[];
  annotations: SchemaAnnotation[];
  macros: SchemaMacro[];
  /** Beside SQLite's own. */
  functions: SchemaFunction[];
  /** SQLite's own that queries may call: names, and a few operators. */
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
  /** As Grafana calls it: `s`, `celsius`, `suffix: ms`, … */
  unit: string | null;
  description: string | null;
}

export interface SchemaMetric {
  /** `nights.average_hrv`. */
  name: string;
  /** A few words. */
  title: string;
  /** Its columns are what filters may name. */
  table: string;
  unit: string | null;
  description: string;
}

/** Events that can be marked in panels. */
export interface SchemaAnnotation {
  /** `rest_mode`. */
  name: string;
  description: string;
}

export interface SchemaMacro {
  /** Without the `$`: `__timeFilter`. */
  name: string;
  /** As it is written, with its arguments: `$__timeFilter(column)`. */
  usage: string;
  description: string;
}

export interface SchemaFunction {
  /** `median`. */
  name: string;
  /** As it is written, with its arguments: `median(x)`. */
  usage: string;
  description: string;
}
