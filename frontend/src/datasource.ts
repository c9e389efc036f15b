import {
  type AnnotationSupport,
  type CoreApp,
  type DataSourceInstanceSettings,
  DataSourceVariableSupport,
  type ScopedVars,
} from '@grafana/data';
import { DataSourceWithBackend } from '@grafana/runtime';

import { interpolateSql } from './interpolation';
import { Resources } from './resources';
import { DEFAULT_QUERY, type OuraOptions, type OuraQuery, type Schema } from './types';

export class OuraDataSource extends DataSourceWithBackend<OuraQuery, OuraOptions> {
  annotations: AnnotationSupport<OuraQuery> = {};
  variables = new OuraVariableSupport();

  private readonly resources: Resources;
  private schema?: Promise<Schema>;

  constructor(settings: DataSourceInstanceSettings<OuraOptions>) {
    super(settings);
    this.resources = new Resources(settings.uid);
  }

  getDefaultQuery(_app: CoreApp): Partial<OuraQuery> {
    return DEFAULT_QUERY;
  }

  filterQuery(query: OuraQuery): boolean {
    return Boolean(query.rawSql?.trim());
  }

  getQueryDisplayText(query: OuraQuery): string {
    return query.rawSql;
  }

  applyTemplateVariables(query: OuraQuery, scopedVars: ScopedVars): OuraQuery {
    return { ...query, rawSql: interpolateSql(query.rawSql, scopedVars) };
  }

  /** Asked once; a failure is not kept. */
  getSchema(): Promise<Schema> {
    this.schema ??= this.resources.schema().catch((error) => {
      this.schema = undefined;
      throw error;
    });
    return this.schema;
  }
}

/** A variable is written in the query editor of panels: its first text column, or `__text` and `__value`. */
class OuraVariableSupport extends DataSourceVariableSupport<OuraDataSource, OuraQuery, OuraOptions> {
  getDefaultQuery(): Partial<OuraQuery> {
    return { ...DEFAULT_QUERY, rawSql: 'SELECT DISTINCT activity FROM workout ORDER BY activity', format: 'table' };
  }
}
