import type { AnnotationSupport, SelectableValue } from '@grafana/data';
import { type ComboboxOption, Field, MultiCombobox, RadioButtonGroup, Stack } from '@grafana/ui';
import React, { type ComponentProps } from 'react';

import { capitalize } from '../format';
import { useSchema } from '../hooks/useSchema';
import type { OuraQuery, QueryType, SchemaAnnotation } from '../types';
import { SqlQueryEditor } from './SqlQueryEditor';
import { fieldStyles } from './fieldStyles';
import { selectors } from './selectors';

type Props = ComponentProps<NonNullable<AnnotationSupport<OuraQuery>['QueryEditor']>>;

const TYPES: Array<SelectableValue<QueryType>> = [
  { label: 'Events', value: 'annotations', description: 'Select event types from a list' },
  {
    label: 'SQL',
    value: 'sql',
    description: 'Returns the columns time, timeEnd, title, text and tags',
  },
];

const WORKOUTS_SQL = `SELECT start_datetime AS time, end_datetime AS timeEnd,
  activity AS text, intensity AS tags
FROM workout
WHERE $__timeFilter(start_datetime)
ORDER BY time`;

/** The query of an annotation: event types, or SQL. */
export function AnnotationEditor({ query, datasource, onChange, onRunQuery }: Props) {
  const schema = useSchema(datasource);
  const { queryType, kinds = [], rawSql = WORKOUTS_SQL } = query;

  const change = (part: Partial<OuraQuery>) => {
    onChange({ ...query, ...part });
    onRunQuery();
  };
  const typeSwitch = (
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
      <Field
        className={fieldStyles.wide}
        label="Events"
        description="Leave empty to show all events."
        htmlFor={selectors.annotation.kinds}
        noMargin
      >
        <MultiCombobox
          id={selectors.annotation.kinds}
          data-testid={selectors.annotation.kinds}
          placeholder="All events"
          options={schema?.annotations.map(toEventOption) ?? []}
          value={schema ? kinds : []}
          isClearable
          onChange={(chosen) => change({ kinds: chosen.map(({ value }) => value) })}
        />
      </Field>
    </Stack>
  );
}

/** `rest_mode` becomes *Rest mode*. */
function toEventOption({ name, description }: SchemaAnnotation): ComboboxOption {
  return { value: name, label: capitalize(name.replaceAll('_', ' ')), description };
}
