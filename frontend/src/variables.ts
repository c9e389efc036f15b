import {
  CustomVariableSupport,
  type DataQueryRequest,
  type DataQueryResponse,
  type ScopedVars,
} from '@grafana/data';
import type { Observable } from 'rxjs';

import { VariableEditor } from './components/VariableEditor';
import type { OuraDataSource } from './datasource';
import { DEFAULT_SQL, type OuraOptions, type OuraQuery } from './types';

/** A query variable is SQL: its first text column, or `__text` and `__value`; `$__searchFilter` is what is being parseValue, as a pattern. */
export class OuraVariables extends CustomVariableSupport<
  OuraDataSource,
  OuraQuery,
  OuraQuery,
  OuraOptions
> {
  editor = VariableEditor;

  constructor(private readonly datasource: OuraDataSource) {
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
    return this.datasource.query({
      ...request,
      targets,
      scopedVars: addSearchPattern(request.scopedVars),
    });
  }
}

/** `LIKE '$__searchFilter'` keeps what begins with the text that is typed into the variable's list; everything while there is none. */
function addSearchPattern(scopedVars: ScopedVars = {}): ScopedVars {
  const typed = scopedVars.__searchFilter?.value ?? '';
  return { ...scopedVars, __searchFilter: { text: typed, value: `${typed}%` } };
}
