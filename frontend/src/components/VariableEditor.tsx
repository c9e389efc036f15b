import type { QueryEditorProps } from '@grafana/data';
import React from 'react';

import { useSchema } from '../hooks/useSchema';
import type { EditorDataSource } from '../schemaSource';
import type { OuraOptions, OuraQuery } from '../types';
import { SqlQueryEditor } from './SqlQueryEditor';

type Props = QueryEditorProps<EditorDataSource, OuraQuery, OuraOptions>;

/** The query of a dashboard variable. */
export function VariableEditor({ query, datasource, onChange, onRunQuery }: Props) {
  const schema = useSchema(datasource);

  return (
    <SqlQueryEditor
      query={query}
      schema={schema}
      getValues={datasource.getValues}
      onChange={onChange}
      onRunQuery={onRunQuery}
    />
  );
}
