import type { QueryEditorProps, SelectableValue } from '@grafana/data';
import { Combobox, type ComboboxOption, Field, Stack } from '@grafana/ui';
import React from 'react';

import { useQueryChange } from '../hooks/useQueryChange';
import { useSchema } from '../hooks/useSchema';
import { METRIC_GROUPS } from '../metricGroups';
import { omitInvalidFields } from '../savedQuery';
import type { EditorDataSource } from '../schemaSource';
import type { OptionsSource, OuraOptions, OuraQuery, Schema } from '../types';
import { SqlQueryEditor } from './SqlQueryEditor';
import { TypeSwitch } from './TypeSwitch';
import { selectors } from './selectors';

type Props = QueryEditorProps<EditorDataSource, OuraQuery, OuraOptions>;

type SourceType = OptionsSource['type'] | 'sql';

const TYPES: Array<SelectableValue<SourceType>> = [
  { label: 'Column values', value: 'values', description: 'The distinct values of a column' },
  { label: 'Metrics', value: 'metrics', description: 'Names of metrics, for the builder' },
  { label: 'SQL', value: 'sql', description: 'One column, or the columns __text and __value' },
];

/** The sources of a variable whose type was just selected. */
const NEW_SOURCES: Record<SourceType, OptionsSource | undefined> = {
  values: { type: 'values', table: 'workout', column: 'activity' },
  metrics: { type: 'metrics' },
  sql: undefined,
};

const ALL_GROUPS = '';

/** The query of a dashboard variable: values of a column, metrics of a group, or SQL. */
export function VariableEditor({ query: saved, datasource, onChange, onRunQuery }: Props) {
  const schema = useSchema(datasource);
  const query = omitInvalidFields(saved);
  const { options: source } = query;

  const changeQuery = useQueryChange(query, onChange, onRunQuery);
  const change = (options?: OptionsSource) => changeQuery({ options });
  const typeSwitch = (
    <TypeSwitch<SourceType>
      types={TYPES}
      value={source?.type ?? 'sql'}
      onChange={(type) => change(NEW_SOURCES[type])}
    />
  );

  if (!source) {
    return (
      <SqlQueryEditor
        query={query}
        schema={schema}
        getValues={datasource.getValues}
        onChange={onChange}
        onRunQuery={onRunQuery}
        lead={typeSwitch}
      />
    );
  }
  return (
    <Stack direction="column" gap={1}>
      {typeSwitch}
      {source.type === 'values' ? (
        <ColumnFields source={source} schema={schema} onChange={change} />
      ) : (
        <Field
          label="Group"
          description="The values are names of metrics, for the field Metrics of the builder."
          htmlFor={selectors.variable.group}
          noMargin
        >
          <Combobox
            id={selectors.variable.group}
            data-testid={selectors.variable.group}
            width={32}
            options={[
              { value: ALL_GROUPS, label: 'All groups' },
              ...METRIC_GROUPS.map((group) => ({ value: group, label: group })),
            ]}
            value={source.group ?? ALL_GROUPS}
            onChange={({ value }) => change({ type: 'metrics', group: value || undefined })}
          />
        </Field>
      )}
    </Stack>
  );
}

type ValuesSource = Extract<OptionsSource, { type: 'values' }>;

interface ColumnFieldsProps {
  source: ValuesSource;
  schema?: Schema;
  onChange: (source: ValuesSource) => void;
}

/** The table and the column of a variable's values. */
function ColumnFields({ source, schema, onChange }: ColumnFieldsProps) {
  const { table, column } = source;
  const columns = schema?.tables.find(({ name }) => name === table)?.columns ?? [];
  const changeTable = (name: string) => {
    const [first] = schema?.tables.find((each) => each.name === name)?.columns ?? [];
    onChange({ type: 'values', table: name, column: first?.name ?? '' });
  };
  return (
    <Stack direction="row" gap={1} wrap="wrap">
      <Field label="Table" htmlFor={selectors.variable.table} noMargin>
        <Combobox
          id={selectors.variable.table}
          data-testid={selectors.variable.table}
          width={32}
          options={toOptions(schema?.tables ?? [], table)}
          value={table}
          onChange={({ value }) => changeTable(value)}
        />
      </Field>
      <Field label="Column" htmlFor={selectors.variable.column} noMargin>
        <Combobox
          id={selectors.variable.column}
          data-testid={selectors.variable.column}
          width={32}
          options={toOptions(columns, column)}
          value={column}
          onChange={({ value }) => onChange({ ...source, column: value })}
        />
      </Field>
    </Stack>
  );
}

/** The options of names. The current one stays visible without a schema. */
function toOptions(
  described: Array<{ name: string; description: string | null }>,
  current: string
): ComboboxOption[] {
  const options = described.map(({ name, description }) => ({
    value: name,
    label: name,
    description: description ?? undefined,
  }));
  return options.some(({ value }) => value === current)
    ? options
    : [{ value: current, label: current }, ...options];
}
