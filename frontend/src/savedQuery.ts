/** Reads saved queries: new ones, those of older versions, and those written by hand. */
import { DEFAULT_METRICS, DEFAULT_QUERY, DEFAULT_SQL, type OuraQuery } from './types';

/**
 * Completes a query for an editor and for the backend. A query without a type and without SQL is
 * new and gets the default metrics, which its editor shows. A field of the wrong type is left out.
 */
export function completeQuery<Q extends Partial<OuraQuery>>(saved: Q): Q {
  const fields = { ...DEFAULT_METRICS, ...DEFAULT_SQL, kinds: [] as string[] };
  const query = { ...saved };
  for (const name of Object.keys(fields) as Array<keyof typeof fields>) {
    if (query[name] !== undefined && !hasSameType(query[name], fields[name])) {
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
  return isNew(query) ? { ...DEFAULT_QUERY, ...query } : query;
}

/** Returns whether a query has neither a type nor SQL. */
export function isNew({ queryType, rawSql }: Partial<OuraQuery>): boolean {
  return !queryType && rawSql === undefined;
}

function hasSameType(value: unknown, sample: unknown): boolean {
  if (Array.isArray(sample)) {
    return Array.isArray(value);
  }
  // Numbers can be dashboard variables, which are text.
  return (
    typeof value === typeof sample || (typeof sample === 'number' && typeof value === 'string')
  );
}
