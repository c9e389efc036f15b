/** Reads saved queries: new ones, those of older versions, and those written by hand. */
import {
  DEFAULT_METRICS,
  DEFAULT_QUERY,
  DEFAULT_SQL,
  type OptionsSource,
  type OuraQuery,
} from './types';

const SAMPLES = { ...DEFAULT_METRICS, ...DEFAULT_SQL, kinds: [] as string[] };

/**
 * Completes a query for an editor and for the backend. A query without a type and without SQL is
 * new and gets the default metrics, which its editor shows. A field of the wrong type is left out.
 */
export function completeQuery<Q extends Partial<OuraQuery>>(saved: Q): Q {
  const query = omitInvalidFields(saved);
  return isNew(query) ? { ...DEFAULT_QUERY, ...query } : query;
}

/** Leaves out the fields and list items of the wrong type. */
export function omitInvalidFields<Q extends Partial<OuraQuery>>(saved: Q): Q {
  const query = { ...saved };
  for (const name of Object.keys(SAMPLES) as Array<keyof typeof SAMPLES>) {
    if (query[name] !== undefined && !isValid(name, query[name])) {
      delete query[name];
    }
  }
  if (Array.isArray(query.metrics)) {
    query.metrics = query.metrics.filter(
      (metric) => typeof (typeof metric === 'object' ? metric?.name : metric) === 'string'
    );
  }
  if (Array.isArray(query.filters)) {
    query.filters = query.filters.filter((filter) => typeof filter?.column === 'string');
  }
  if (query.options && !isOptionsSource(query.options)) {
    delete query.options;
  }
  return query;
}

/** Returns whether a query has neither a type nor SQL. */
export function isNew({ queryType, rawSql }: Partial<OuraQuery>): boolean {
  return !queryType && rawSql === undefined;
}

function isValid(name: keyof typeof SAMPLES, value: unknown): boolean {
  const sample = SAMPLES[name];
  if (Array.isArray(sample)) {
    return Array.isArray(value);
  }
  // Numbers can be dashboard variables, which are text.
  return (
    typeof value === typeof sample || (typeof sample === 'number' && typeof value === 'string')
  );
}

function isOptionsSource(source: OptionsSource): boolean {
  switch (source.type) {
    case 'values':
      return typeof source.table === 'string' && typeof source.column === 'string';
    case 'metrics':
      return source.group === undefined || typeof source.group === 'string';
    default:
      return false;
  }
}
