import { CustomVariableSupport, type DataQueryRequest, type DataQueryResponse } from '@grafana/data';
import type { Observable } from 'rxjs';

import { VariableEditor } from './components/VariableEditor';
import type { OuraDataSource } from './datasource';
import { DEFAULT_SQL, type OuraOptions, type OuraQuery } from './types';

/** A query variable is SQL: its first text column, or `__text` and `__value`. */
export class OuraVariables extends CustomVariableSupport<OuraDataSource, OuraQuery, OuraQuery, OuraOptions> {
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
    return this.datasource.query({ ...request, targets });
  }
}
