/** The part of the data source that editors use. Editors import it instead of the data source. */
import type { DataSourceApi } from '@grafana/data';

import type { OuraOptions, OuraQuery, Schema } from './types';

export interface SchemaSource {
  /** Returns the tables, metrics, macros and functions that a query can use. */
  getSchema: () => Promise<Schema>;
  /** Returns the distinct values of a column as text. */
  getValues: (table: string, column: string) => Promise<string[]>;
}

/** The data source as Grafana passes it to an editor. */
export type EditorDataSource = DataSourceApi<OuraQuery, OuraOptions> & SchemaSource;
