import {
  CustomVariableSupport,
  type DataQueryRequest,
  type DataQueryResponse,
  type ScopedVars,
} from '@grafana/data';
import type { Observable } from 'rxjs';

import { VariableEditor } from './components/VariableEditor';
import type { EditorDataSource } from './schemaSource';
import { DEFAULT_SQL, type OuraOptions, type OuraQuery } from './types';

type RunQuery = (request: DataQueryRequest<OuraQuery>) => Observable<DataQueryResponse>;

/**
 * Query variables in SQL. The options are the first text column, or the columns `__text` and
 * `__value`. `$__searchFilter` is the text typed into the variable's list, as a LIKE pattern.
 */
export class OuraVariables extends CustomVariableSupport<
  EditorDataSource,
  OuraQuery,
  OuraQuery,
  OuraOptions
> {
  editor = VariableEditor;

  constructor(private readonly runQuery: RunQuery) {
    super();
  }

  getDefaultQuery(): Partial<OuraQuery> {
    return {
      ...DEFAULT_SQL,
      queryType: 'sql',
      rawSql: 'SELECT DISTINCT activity FROM workout ORDER BY activity',
      format: 'table',
    };
  }

  query(request: DataQueryRequest<OuraQuery>): Observable<DataQueryResponse> {
    const targets = request.targets.map((target) => ({
      ...this.getDefaultQuery(),
      ...target,
      refId: target.refId ?? 'A',
    }));
    const scopedVars = addSearchPattern(request.scopedVars);
    return this.runQuery({ ...request, targets, scopedVars });
  }
}

/** Makes `LIKE '$__searchFilter'` match values that start with the typed text. */
function addSearchPattern(scopedVars: ScopedVars = {}): ScopedVars {
  const typed = scopedVars.__searchFilter?.value ?? '';
  return { ...scopedVars, __searchFilter: { text: typed, value: `${typed}%` } };
}
