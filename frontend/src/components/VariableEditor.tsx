import type { QueryEditorProps } from '@grafana/data';
import React from 'react';

import type { OuraDataSource } from '../datasource';
import { useSchema } from '../hooks/useSchema';
import type { OuraOptions, OuraQuery } from '../types';
import { SqlQueryEditor } from './SqlQueryEditor';

type Props = QueryEditorProps<OuraDataSource, OuraQuery, OuraOptions>;

/** A dashboard variable's query. */
export function VariableEditor({ query, datasource, onChange, onRunQuery }: Props) {
  const schema = useSchema(datasource);

  return (
    <SqlQueryEditor query={query} schema={schema} onChange={onChange} onRunQuery={onRunQuery} />
  );
}
