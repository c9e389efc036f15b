import type { SelectableValue } from '@grafana/data';
import { Button, Dropdown, InlineField, Menu, RadioButtonGroup, Stack, Text } from '@grafana/ui';
import React, { type ReactNode, useRef, useState } from 'react';

import { useQueryChange } from '../hooks/useQueryChange';
import type { GetValues } from '../sql/completion';
import { EXAMPLES } from '../sql/examples';
import { formatSql } from '../sql/format';
import { DEFAULT_SQL, type Format, type OuraQuery, type Schema } from '../types';
import { DownsampleSelect } from './DownsampleSelect';
import { SchemaReference } from './SchemaReference';
import { SqlEditor, type SqlEditorHandle } from './SqlEditor';
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
  /** Returns the distinct values of a column. */
  getValues: GetValues;
  /** The error message of the last run. */
  error?: string;
  onChange: (query: OuraQuery) => void;
  onRunQuery: () => void;
  /** Shown before the other controls. */
  lead?: ReactNode;
  /** Whether to offer a format. Annotations and variables always read a table. */
  withFormat?: boolean;
  /** Whether Grafana runs a changed query by itself. */
  runsOnChange?: boolean;
}

/** An SQL query, with its format and a schema reference. */
export function SqlQueryEditor({
  query,
  schema,
  getValues,
  error,
  onChange,
  onRunQuery,
  lead,
  withFormat = false,
  runsOnChange = false,
}: Props) {
  const [isReferenceOpen, setReferenceOpen] = useState(false);
  const [formatError, setFormatError] = useState<string>();
  const editor = useRef<SqlEditorHandle>(null);
  const { rawSql, params, format, downsample } = { ...DEFAULT_SQL, ...query };

  const change = (part: Partial<OuraQuery>) =>
    onChange({ ...query, queryType: 'sql', rawSql, params, format, downsample, ...part });
  const run = (sql: string) => {
    const isChanged = sql !== query.rawSql;
    if (isChanged) {
      change({ rawSql: sql });
    }
    if (!isChanged || !runsOnChange) {
      onRunQuery();
    }
  };
  const changeQuery = useQueryChange(query, onChange, runsOnChange ? undefined : onRunQuery);
  const changeAndRun = (part: Partial<OuraQuery>) =>
    changeQuery({ queryType: 'sql', rawSql, params, format, downsample, ...part });

  const tidy = async () => {
    const text = editor.current?.read() ?? rawSql;
    try {
      change({ rawSql: await formatSql(text) });
      setFormatError(undefined);
    } catch {
      setFormatError('The SQL can’t be formatted: run it to find the mistake.');
    }
  };
  const examples = (
    <Menu>
      {EXAMPLES.map(({ title, sql, format }) => (
        <Menu.Item
          key={title}
          label={title}
          onClick={() => changeAndRun({ rawSql: sql, params: [], ...(withFormat && { format }) })}
        />
      ))}
    </Menu>
  );

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
        <Button
          size="sm"
          variant="secondary"
          icon="play"
          tooltip="Ctrl/Cmd + Enter"
          data-testid={selectors.query.run}
          onClick={() => run(editor.current?.read() ?? rawSql)}
        >
          Run query
        </Button>
        <Button
          size="sm"
          variant="secondary"
          icon="brackets-curly"
          data-testid={selectors.query.tidy}
          onClick={tidy}
        >
          Format
        </Button>
        <Dropdown overlay={examples}>
          <Button
            size="sm"
            variant="secondary"
            icon="angle-down"
            data-testid={selectors.query.examples}
          >
            Examples
          </Button>
        </Dropdown>
        <Button
          size="sm"
          variant="secondary"
          icon="book"
          disabled={!schema}
          aria-expanded={isReferenceOpen}
          data-testid={selectors.query.reference}
          onClick={() => setReferenceOpen(!isReferenceOpen)}
        >
          Reference
        </Button>
      </Stack>
      <SqlEditor
        ref={editor}
        sql={rawSql}
        schema={schema}
        getValues={getValues}
        error={error}
        onRun={run}
      />
      {formatError && <Text color="warning">{formatError}</Text>}
      {withFormat && format === 'time_series' && (
        <InlineField label="Downsample" htmlFor={selectors.query.downsample}>
          <DownsampleSelect
            id={selectors.query.downsample}
            value={downsample}
            width={13}
            onChange={(downsample) => changeAndRun({ downsample })}
          />
        </InlineField>
      )}
      {isReferenceOpen && schema && (
        <SchemaReference schema={schema} onInsert={(snippet) => editor.current?.insert(snippet)} />
      )}
    </Stack>
  );
}
