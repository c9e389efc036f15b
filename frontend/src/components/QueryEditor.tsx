import type { QueryEditorProps, SelectableValue } from '@grafana/data';
import { Button, RadioButtonGroup, Stack } from '@grafana/ui';
import React, { useState } from 'react';

import type { OuraDataSource } from '../datasource';
import { useSchema } from '../hooks/useSchema';
import { DEFAULT_QUERY, type Format, type OuraOptions, type OuraQuery } from '../types';
import { SchemaReference } from './SchemaReference';
import { SqlEditor } from './SqlEditor';
import { selectors } from './selectors';

type Props = QueryEditorProps<OuraDataSource, OuraQuery, OuraOptions>;

const FORMATS: Array<SelectableValue<Format>> = [
  { label: 'Time series', value: 'time_series', description: 'A line per column; needs a column named time' },
  { label: 'Table', value: 'table', description: 'Rows as they come' },
];

export function QueryEditor({ query, datasource, onChange, onRunQuery }: Props) {
  const [reference, setReference] = useState(false);
  const schema = useSchema(datasource);

  const { rawSql, format } = { ...DEFAULT_QUERY, ...query };

  const change = (part: Partial<OuraQuery>) => onChange({ ...DEFAULT_QUERY, ...query, ...part });
  const run = (sql: string) => {
    if (sql !== query.rawSql) {
      change({ rawSql: sql });
    }
    onRunQuery();
  };

  return (
    <Stack direction="column" gap={1}>
      <Stack direction="row" gap={1} alignItems="center">
        <div data-testid={selectors.query.format}>
          <RadioButtonGroup
            size="sm"
            options={FORMATS}
            value={format}
            onChange={(format) => {
              change({ format });
              onRunQuery();
            }}
          />
        </div>
        <Button
          size="sm"
          variant="secondary"
          fill="text"
          icon="book"
          disabled={!schema}
          aria-expanded={reference}
          data-testid={selectors.query.reference}
          onClick={() => setReference(!reference)}
        >
          Tables and macros
        </Button>
        <Button
          size="sm"
          variant="secondary"
          icon="play"
          tooltip="Ctrl + Enter"
          data-testid={selectors.query.run}
          onClick={() => run(rawSql)}
        >
          Run
        </Button>
      </Stack>
      <SqlEditor sql={rawSql} schema={schema} onRun={run} />
      {reference && schema && <SchemaReference schema={schema} />}
    </Stack>
  );
}
