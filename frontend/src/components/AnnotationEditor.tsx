import type { AnnotationSupport, SelectableValue } from '@grafana/data';
import { type ComboboxOption, Field, MultiCombobox, RadioButtonGroup, Stack } from '@grafana/ui';
import React, { type ComponentProps } from 'react';

import { useSchema } from '../hooks/useSchema';
import type { OuraQuery, QueryType, SchemaAnnotation } from '../types';
import { SqlQueryEditor } from './SqlQueryEditor';
import { selectors } from './selectors';

type Props = ComponentProps<NonNullable<AnnotationSupport<OuraQuery>['QueryEditor']>>;

const TYPES: Array<SelectableValue<QueryType>> = [
  { label: 'Events', value: 'annotations', description: 'Choose from a list' },
  { label: 'SQL', value: 'sql', description: 'Columns time, timeEnd, title, text and tags' },
];

const WORKOUTS_AS_SQL = `SELECT start_datetime AS time, end_datetime AS timeEnd, activity AS text, intensity AS tags
FROM workout
WHERE $__timeFilter(start_datetime)
ORDER BY time`;

/** What to mark in every panel: a kind of event, or rows of SQL. */
export function AnnotationEditor({ query, datasource, onChange, onRunQuery }: Props) {
  const schema = useSchema(datasource);
  const { queryType, kinds = [], rawSql = WORKOUTS_AS_SQL } = query;

  const change = (part: Partial<OuraQuery>) => {
    onChange({ ...query, ...part });
    onRunQuery();
  };
  const type = (
    <div data-testid={selectors.query.type}>
      <RadioButtonGroup
        size="sm"
        options={TYPES}
        value={queryType === 'annotations' ? 'annotations' : 'sql'}
        onChange={(queryType: QueryType) => change({ queryType, kinds, rawSql, format: 'table' })}
      />
    </div>
  );

  if (queryType !== 'annotations') {
    return (
      <SqlQueryEditor
        query={query}
        schema={schema}
        onChange={onChange}
        onRunQuery={onRunQuery}
        lead={type}
      />
    );
  }
  return (
    <Stack direction="column" gap={1}>
      {type}
      <Field
        label="Events"
        description="None are all."
        htmlFor={selectors.annotation.kinds}
        noMargin
      >
        <MultiCombobox
          id={selectors.annotation.kinds}
          data-testid={selectors.annotation.kinds}
          placeholder="All"
          options={schema?.annotations.map(toEventOption) ?? []}
          value={schema ? kinds : []}
          width={60}
          isClearable
          onChange={(chosen) => change({ kinds: chosen.map(({ value }) => value) })}
        />
      </Field>
    </Stack>
  );
}

/** `rest_mode` as *Rest mode*. */
function toEventOption({ name, description }: SchemaAnnotation): ComboboxOption {
  const words = name.replaceAll('_', ' ');
  return { value: name, label: words.charAt(0).toUpperCase() + words.slice(1), description };
}
