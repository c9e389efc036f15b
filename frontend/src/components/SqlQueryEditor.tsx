import type { SelectableValue } from '@grafana/data';
import { Button, InlineField, RadioButtonGroup, Stack } from '@grafana/ui';
import React, { type ReactNode, useState } from 'react';

import { DEFAULT_SQL, type Format, type OuraQuery, type Schema } from '../types';
import { DownsampleSelect } from './DownsampleSelect';
import { SchemaReference } from './SchemaReference';
import { SqlEditor } from './SqlEditor';
import { selectors } from './selectors';

const FORMATS: Array<SelectableValue<Format>> = [
  {
    label: 'Time series',
    value: 'time_series',
    description: 'One line per column. Requires a column named time',
  },
  { label: 'Table', value: 'table', description: 'Rows as the query returns them' },
];

interface Props {
  query: OuraQuery;
  schema?: Schema;
  onChange: (query: OuraQuery) => void;
  onRunQuery: () => void;
  /** Shown before the other controls. */
  lead?: ReactNode;
  /** Whether to offer a format. Annotations and variables always read a table. */
  withFormat?: boolean;
}

/** An SQL query, with its format and a schema reference. */
export function SqlQueryEditor({
  query,
  schema,
  onChange,
  onRunQuery,
  lead,
  withFormat = false,
}: Props) {
  const [isReferenceOpen, setReferenceOpen] = useState(false);
  const { rawSql, params, format, downsample } = { ...DEFAULT_SQL, ...query };

  const change = (part: Partial<OuraQuery>) =>
    onChange({ ...query, queryType: 'sql', rawSql, params, format, downsample, ...part });
  const run = (sql: string) => {
    if (sql !== query.rawSql) {
      change({ rawSql: sql });
    }
    onRunQuery();
  };
  const changeAndRun = (part: Partial<OuraQuery>) => {
    change(part);
    onRunQuery();
  };

  return (
    <Stack direction="column" gap={1}>
      <Stack direction="row" gap={1} alignItems="center" wrap="wrap">
        {lead}
        {withFormat && (
          <div data-testid={selectors.query.format}>
            <RadioButtonGroup
              size="sm"
              options={FORMATS}
              value={format}
              onChange={(format) => changeAndRun({ format })}
            />
          </div>
        )}
        {withFormat && format === 'time_series' && (
          <InlineField label="Downsample" htmlFor={selectors.query.downsample}>
            <DownsampleSelect
              id={selectors.query.downsample}
              value={downsample}
              onChange={(downsample) => changeAndRun({ downsample })}
            />
          </InlineField>
        )}
        <Button
          size="sm"
          variant="secondary"
          icon="play"
          tooltip="Ctrl/Cmd + Enter"
          data-testid={selectors.query.run}
          onClick={() => run(rawSql)}
        >
          Run query
        </Button>
        <Button
          size="sm"
          variant="secondary"
          fill="text"
          icon="book"
          disabled={!schema}
          aria-expanded={isReferenceOpen}
          data-testid={selectors.query.reference}
          onClick={() => setReferenceOpen(!isReferenceOpen)}
        >
          Tables, macros and functions
        </Button>
      </Stack>
      <SqlEditor sql={rawSql} schema={schema} onRun={run} />
      {isReferenceOpen && schema && <SchemaReference schema={schema} />}
    </Stack>
  );
}
