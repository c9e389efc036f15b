/** Reads the backend's schema, also that of an older or newer backend. */
import type { Schema } from './types';

const EMPTY: Schema = {
  specification: '',
  timezone: '',
  tables: [],
  series: [],
  metrics: [],
  annotations: [],
  macros: [],
  functions: [],
  sqliteFunctions: [],
};

/** Fills missing lists. Throws an error for anything but a schema. */
export function completeSchema(response: Partial<Schema> | undefined): Schema {
  if (!Array.isArray(response?.tables)) {
    throw new Error('Invalid schema: update the plugin, and restart Grafana');
  }
  const schema = { ...EMPTY, ...response };
  for (const name of Object.keys(EMPTY) as Array<keyof Schema>) {
    if (Array.isArray(EMPTY[name]) && !Array.isArray(schema[name])) {
      Object.assign(schema, { [name]: [] });
    }
  }
  return schema;
}
