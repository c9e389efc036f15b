/* Generated from the Rust types. To rewrite: UPDATE_CONTRACT=1 cargo test --lib contract */

// Queries

/** The function that summarizes the values of one step. */
export type Aggregate =
  | "avg"
  | "min"
  | "max"
  | "sum"
  | "count"
  | "median"
  | "p10"
  | "p90"
  | "last";

/** An annotations query as the editor sends it. Unknown fields belong to Grafana and are ignored. */
export interface AnnotationsQuery {
  /** Names of `KINDS`. Empty for all kinds. */
  kinds: Array<string>;
}

/** The reduction of a series that has more points than its panel can show. */
export type Downsample = "auto" | "off" | "minmax" | "lttb";

/** The step that a query requests. */
export type Every = string;

/** A condition: `{"column": "source", "operator": "=", "value": "awake"}`. */
export interface Filter {
  /**
   * `column`, for every metric that has it, or `table.column`. Grafana's ad-hoc filters call it
   * `key`.
   */
  column: string;
  /** The comparison. */
  operator: FilterOperator;
  /** The value to compare with. */
  value?: string | number | boolean;
  /** The values of a list. If there are any, `value` is ignored. */
  values?: (string | number | boolean)[];
}

/** The comparison of a filter. The aliases are those of Grafana's ad-hoc filters. */
export type FilterOperator =
  | "="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | "in"
  | "not in"
  | "like"
  | "is null"
  | "is not null";

/** The shape of the frames that a query returns. */
export type Format = "time_series" | "table";

/** One metric of a query. */
export type Metric = string | { name: string, aggregate?: Aggregate, shift: number | string, };

/** A metrics query. Unknown fields belong to Grafana and are ignored. */
export interface MetricsQuery {
  /** The metrics to draw. */
  metrics: Array<Metric>;
  /** The aggregate of all metrics that choose no other. */
  aggregate: Aggregate;
  /** The step between two points. */
  every: Every;
  /** Conditions, each for all metrics with that column. */
  filters: Array<Filter>;
  /**
   * Days of the moving average, the day itself included. 0 turns it off. A text is the value of
   * a dashboard variable, and an empty one is 0.
   */
  movingAverage: number | string;
  /**
   * Days before a point that form its baseline: their median, with 1.4826 times the median
   * absolute deviation as a band. 0 turns it off.
   */
  baseline: number | string;
  /** Days by which to draw every metric later. Earlier if negative. */
  shift: number | string;
  /** The reduction of series with too many points. */
  downsample: Downsample;
}

/** The kind of a query, in its JSON field `queryType`. */
export type QueryType = "sql" | "metrics" | "annotations";

/**
 * An SQL query from a panel, a script or an alert rule. Unknown fields belong to Grafana and are
 * ignored.
 */
export interface SqlQuery {
  /** The statement, with macros. */
  rawSql: string;
  /** Values for `?1`, `?2`, … in order: strings, numbers, booleans or null. */
  params: (string | number | boolean | null)[];
  /** The shape of the resulting frames. */
  format: Format;
  /** The reduction of series with too many points. */
  downsample: Downsample;
}

export const DEFAULT_METRICS_QUERY: MetricsQuery = {
  "metrics": [],
  "aggregate": "avg",
  "every": "auto",
  "filters": [],
  "movingAverage": 0,
  "baseline": 0,
  "shift": 0,
  "downsample": "auto"
};

export const MAX_METRICS = 50;

export const MAX_DAYS = 1000;

// Settings: the data source's jsonData

/** A calendar day without a time zone, written `YYYY-MM-DD`, as in Oura's field `day`. */
export type Day = string;

/**
 * The settings of a data source, as in its `jsonData`.
 * Every field has a default. Unknown fields are ignored.
 */
export interface Settings {
  /** The client ID of the application registered with Oura. */
  clientId: string;
  /** The scopes to request, separated by spaces. Empty requests all. */
  scopes: string;
  /** The IANA name of the time zone in which days begin. Empty is UTC. */
  timezone: string;
  /** Minutes between syncs. 0 is the default, 30. */
  syncIntervalMinutes: number;
  /** The first day to import. `None` imports backwards until two consecutive years have no data. */
  historyStart?: Day;
  /** Serves a synthetic person instead of logging in to Oura. */
  demo: boolean;
  /** The collections to sync. Empty syncs all. */
  collections: Array<string>;
}

export const DEFAULT_SYNC_INTERVAL_MINUTES = 30;

export const MIN_SYNC_INTERVAL_MINUTES = 5;

export const SCOPES = [
  "email",
  "personal",
  "daily",
  "heartrate",
  "workout",
  "tag",
  "session",
  "spo2",
  "stress",
  "heart_health",
  "ring_configuration"
] as const;

export type Scope = (typeof SCOPES)[number];

// Resource routes

/** An error as the caller receives it. */
export interface ApiError {
  /** The party at fault, for Grafana's metrics. */
  source: ErrorSource;
  /** A stable name for programs, such as `expired_state`. */
  code: string;
  /** The failure and its reason, without a full stop at the end. */
  message: string;
  /** A remedy, in full sentences. May be empty. */
  hint: string;
}

/** The last known condition of a collection: `collections.state`. */
export type CollectionState =
  | "ok"
  | "waiting"
  | "scope_missing"
  | "membership_ended"
  | "forbidden"
  | "not_available"
  | "app_too_old"
  | "removed"
  | "error";

/** The state and extent of a collection. */
export interface CollectionStatus {
  /** The collection's name in Oura's API. */
  name: string;
  /** The number of stored documents or rows. */
  documents: number;
  /** The first day with data. */
  firstDay: Day | null;
  /** The last day with data. */
  lastDay: Day | null;
  /** The last successful fetch. */
  lastSync: string | null;
  /** The outcome of the last fetch. */
  state: CollectionState;
  /** Why the collection is not available. */
  reason: string | null;
  /** The completeness of the last 30 days in one line. */
  summary: string;
}

/** Whether a data source has a login at Oura: `sync_status.connection`. */
export type ConnectionState =
  | "not_configured"
  | "not_connected"
  | "connected"
  | "reconnect_needed";

/** The response of `GET coverage`. */
export interface Coverage {
  coverage: Array<CoverageDay>;
  /** Whether a limit cut the list. */
  truncated: boolean;
}

/** The coverage of one collection on one day. */
export interface CoverageDay {
  collection: string;
  /** `YYYY-MM-DD`. */
  day: string;
  documents: number;
  state: DayState;
  /** The reason for a day without data. */
  reason: GapReason | null;
  /** RFC 3339. */
  fetched_at: string | null;
}

/** How complete one day of one collection is: `coverage.state`. */
export type DayState = "complete" | "partial" | "empty" | "not_fetched";

/** The free space for the data of a data source. */
export interface DiskSpace {
  /** The bytes that can still be written. */
  freeBytes: number;
  /**
   * The bytes that should be free: 256 MiB, or the size of the database if that is larger. An
   * upgrade writes new tables before it deletes the old ones.
   */
  requiredBytes: number;
  /** Whether fewer bytes are free than required. */
  nearlyFull: boolean;
}

/** The body of an error response. */
export interface ErrorBody {
  error: ApiError;
}

/**
 * The party at fault for an error, as Grafana's metrics and alerts count it.
 * The names and their meaning are those of `errorSource` in Grafana's plugin protocol.
 */
export type ErrorSource = "downstream" | "plugin";

/** Why a day of a collection has no documents: `coverage.reason`. */
export type GapReason =
  | "not_fetched"
  | "empty"
  | "scope_missing"
  | "membership_ended"
  | "refused"
  | "not_available"
  | "app_too_old"
  | "removed"
  | "failed"
  | "battery_empty"
  | "ring_off"
  | "no_ring_yet"
  | "not_synced";

/** The parameters that Oura appended to the redirect address: `code` and `state`, or `error`. */
export interface LoginCallback {
  code?: string;
  state?: string;
  error?: string;
  error_description?: string;
}

/** The body of `POST oauth/start`. */
export interface LoginRequest {
  /** The address that Oura sends the browser back to. */
  redirectUri: string;
}

/** The response of `POST oauth/start`. */
export interface LoginStart {
  /** The page at Oura to open in the browser. */
  authorizeUrl: string;
  /** The end of the login's lifetime. */
  expiresAt: string;
}

/** The response of `GET schema`: the names that a query may use. */
export interface Schema {
  /** The version of Oura's API: `1.43`. */
  specification: string;
  /** The IANA name of the data source's time zone. */
  timezone: string;
  tables: Array<SchemaTable>;
  series: Array<SchemaSeries>;
  /** The metrics of metrics queries. */
  metrics: Array<SchemaMetric>;
  /** The kinds of annotations queries. */
  annotations: Array<SchemaAnnotation>;
  macros: Array<SchemaMacro>;
  /** The functions that this program adds to SQLite. */
  functions: Array<SchemaFunction>;
  /** The names of SQLite's own functions and operators that queries may use. */
  sqliteFunctions: Array<string>;
}

/** A kind of event. */
export interface SchemaAnnotation {
  /** The name in a query. */
  name: string;
  /** One phrase for the editor. */
  description: string;
}

/** A column of a table or view. */
export interface SchemaColumn {
  name: string;
  /** `time`, `integer`, `number`, `string` or `boolean`. */
  type: string;
  /** Grafana's id of the unit: `s`, `celsius`, `suffix: ms`, … */
  unit: string | null;
  description: string | null;
}

/** A function's documentation, for the query editor and the schema. */
export interface SchemaFunction {
  /** The name in lower case. */
  name: string;
  /** The name with its arguments. */
  usage: string;
  /** A short description without a capital letter or a full stop. */
  description: string;
  /** An example that works on any store: an expression, or a SELECT for an aggregate. */
  example: string;
}

/** A macro, as the editor shows it. */
export interface SchemaMacro {
  /** The name without the `$`. */
  name: string;
  /** How to write it, with its arguments. */
  usage: string;
  /** One phrase for the editor. */
  description: string;
}

/** A metric that a query may use. */
export interface SchemaMetric {
  /** The full name, for example `nights.average_hrv`. */
  name: string;
  /** A short display name. */
  title: string;
  /** The table or view with the columns that filters can use. */
  table: string;
  unit: string | null;
  description: string;
}

/** A series of samples. */
export interface SchemaSeries {
  /** Table and field, for example `sleep.heart_rate`. */
  name: string;
  unit: string | null;
  description: string;
}

/** A table or view. */
export interface SchemaTable {
  name: string;
  description: string;
  columns: Array<SchemaColumn>;
}

/** The response of `GET status`. */
export interface Status {
  /** Whether a login exists. */
  state: ConnectionState;
  /** The reason of the state, if more is known. */
  reason: string | null;
  /** The granted scopes. Empty if Oura did not list them. */
  scopes: Array<string>;
  /** The damage of the stored data, if it is damaged. `POST data/repair` is the remedy. */
  damage: string | null;
  /** The free space of the data folder, if the operating system reports it. */
  disk: DiskSpace | null;
  /** The progress and outcome of syncs. */
  sync: SyncStatus;
  /** The version of Oura's API specification in use, for example `1.43`. */
  specification: string;
  /** The last successful check for a newer specification. */
  specificationCheckedAt: string | null;
  /** Every collection of the specification, by name. */
  collections: Array<CollectionStatus>;
}

/** The response of both routes. */
export interface SyncStart {
  /** The run's key in the table `sync_runs`. */
  run: number;
}

/** The progress and outcome of syncs. */
export interface SyncStatus {
  /** Whether a run is requested or in progress. */
  running: boolean;
  /** The completed share of the current run, or of the last one: 0 to 100. */
  percent: number;
  /** The id of the current run, or of the last one: a row of `sync_runs`. */
  run: number | null;
  /** The number of documents that this run fetched. */
  documents: number;
  /** The estimated seconds until the end of the current run. */
  secondsLeft: number | null;
  /** The last successful fetch of any collection. */
  lastSync: string | null;
  /** The next scheduled run. */
  nextSync: string | null;
  /** Why the last run failed. */
  failure: string | null;
}

export const CONNECTION_STATES: Record<ConnectionState, string> = {
  not_configured: "Not configured",
  not_connected: "Not connected",
  connected: "Connected",
  reconnect_needed: "Reconnect required",
};

export const COLLECTION_STATES: Record<CollectionState, string> = {
  ok: "OK",
  waiting: "Waiting",
  scope_missing: "Permission missing",
  membership_ended: "Membership ended",
  forbidden: "Refused",
  not_available: "Not available",
  app_too_old: "Oura app too old",
  removed: "No longer offered",
  error: "Failed",
};

export const GAP_REASONS: Record<GapReason, string> = {
  not_fetched: "not fetched yet",
  empty: "without data",
  scope_missing: "permission missing",
  membership_ended: "membership ended",
  refused: "refused",
  not_available: "not available",
  app_too_old: "Oura app too old",
  removed: "no longer offered",
  failed: "failed",
  battery_empty: "with an empty ring battery",
  ring_off: "with the ring off or out of reach",
  no_ring_yet: "before the first ring",
  not_synced: "not synced from the phone yet",
};
