import {
  CustomVariableSupport,
  type DataFrame,
  type DataQueryRequest,
  type DataQueryResponse,
  type Field,
  FieldType,
  type MetricFindValue,
  type ScopedVars,
  dateTime,
  toDataFrame,
} from '@grafana/data';
import { type Observable, from, map } from 'rxjs';

import { VariableEditor } from './components/VariableEditor';
import { listMetricOptions } from './metrics';
import { omitInvalidFields } from './savedQuery';
import type { EditorDataSource } from './schemaSource';
import { valuesSql } from './sql/values';
import { DEFAULT_SQL, type OuraOptions, type OuraQuery, type Schema } from './types';

type RunQuery = (request: DataQueryRequest<OuraQuery>) => Observable<DataQueryResponse>;

/**
 * Query variables: the values of a column, the metrics of a group, or SQL. The options of SQL are
 * the first column, or the columns `__text` and `__value`. `$__searchFilter` is the text typed into
 * the variable's list, as a LIKE pattern.
 */
export class OuraVariables extends CustomVariableSupport<
  EditorDataSource,
  OuraQuery,
  OuraQuery,
  OuraOptions
> {
  editor = VariableEditor;

  constructor(
    private readonly runQuery: RunQuery,
    private readonly getSchema: () => Promise<Schema>
  ) {
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
      ...omitInvalidFields(target),
      refId: target.refId ?? 'A',
    }));
    const source = targets[0]?.options;
    if (source?.type === 'metrics') {
      return from(this.listMetrics(source.group));
    }
    if (source?.type === 'values') {
      targets[0].rawSql = valuesSql(source.table, source.column);
    }
    const scopedVars = addSearchPattern(request.scopedVars);
    return this.runQuery({ ...request, targets, scopedVars }).pipe(
      map((response) => ({ ...response, data: response.data.map(readOptions).map(toFrame) }))
    );
  }

  private async listMetrics(group?: string): Promise<DataQueryResponse> {
    const options = listMetricOptions(await this.getSchema())
      .filter((option) => !group || option.group === group)
      .map(({ label, value }) => ({ text: label, value }));
    return { data: [toFrame(options)] };
  }
}

/** Reads the options in the rows of a result, each value once. */
export function readOptions(frame: DataFrame): MetricFindValue[] {
  const find = (name: string) => frame.fields.find((field) => field.name === name);
  const value =
    find('__value') ?? find('value') ?? find('__text') ?? find('text') ?? frame.fields[0];
  const text = find('__text') ?? find('text') ?? value;
  const options = new Map<string, MetricFindValue>();
  for (let row = 0; row < frame.length; row++) {
    const name = readText(value, row);
    if (name !== undefined && !options.has(name)) {
      options.set(name, { text: readText(text, row) ?? name, value: name });
    }
  }
  return Array.from(options.values());
}

/** Grafana reads options from the text columns `text` and `value`. */
function toFrame(options: MetricFindValue[]): DataFrame {
  return toDataFrame({
    fields: (['text', 'value'] as const).map((name) => ({
      name,
      type: FieldType.string,
      values: options.map((option) => option[name]),
    })),
  });
}

/** Returns a value as text. `undefined` for NULL. */
function readText(field: Field, row: number): string | undefined {
  const value: unknown = field.values[row];
  if (value === null || value === undefined) {
    return undefined;
  }
  return field.type === FieldType.time ? dateTime(Number(value)).toISOString() : String(value);
}

/** Makes `LIKE '$__searchFilter'` match values that start with the typed text. */
function addSearchPattern(scopedVars: ScopedVars = {}): ScopedVars {
  const typed = scopedVars.__searchFilter?.value ?? '';
  return { ...scopedVars, __searchFilter: { text: typed, value: `${typed}%` } };
}
