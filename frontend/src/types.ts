import type { DataSourceJsonData } from '@grafana/data';
import type { DataQuery } from '@grafana/schema';

export type Format = 'table' | 'time_series';

export interface OuraQuery extends DataQuery {
  queryType: 'sql';
  rawSql: string;
  /** Bound to `?1`, `?2`, … in order. */
  params: Array<string | number | boolean | null>;
  format: Format;
}

export const DEFAULT_QUERY: Omit<OuraQuery, 'refId'> = {
  queryType: 'sql',
  rawSql: `SELECT time, sleep_score, readiness_score, activity_score
FROM days
WHERE $__timeFilter(time)
ORDER BY time`,
  params: [],
  format: 'time_series',
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
  scopes: string[];
  sync: SyncStatus;
  specification: string;
  collections: CollectionStatus[];
}

export type ConnectionState = 'not_configured' | 'not_connected' | 'connected' | 'reconnect_needed';

export interface SyncStatus {
  running: boolean;
  /** 0 to 100, of the run under way or the last one. */
  percent: number;
  run: number | null;
  documents: number;
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
}

/** `GET schema`: what a query may name. */
export interface Schema {
  tables: SchemaTable[];
  macros: SchemaMacro[];
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

export interface SchemaMacro {
  /** Without the `$`: `__timeFilter`. */
  name: string;
  /** As it is written, with its arguments: `$__timeFilter(column)`. */
  usage: string;
  description: string;
}
