import type { AnnotationSupport, SelectableValue } from '@grafana/data';
import { type ComboboxOption, Stack } from '@grafana/ui';
import React, { type ComponentProps } from 'react';

import { capitalize } from '../format';
import { useQueryChange } from '../hooks/useQueryChange';
import { useSchema } from '../hooks/useSchema';
import { omitInvalidFields } from '../savedQuery';
import type { OuraQuery, QueryType, SchemaAnnotation } from '../types';
import { NamesField } from './NamesField';
import { SqlQueryEditor } from './SqlQueryEditor';
import { TypeSwitch } from './TypeSwitch';
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

/**
 * The query of an annotation: event types, or SQL. Grafana runs each changed query. Another run
 * would be that of the previous query, because Grafana's state changes later.
 */
export function AnnotationEditor({ query: saved, datasource, onChange, onRunQuery }: Props) {
  const schema = useSchema(datasource);
  const query = omitInvalidFields(saved);
  const { queryType, kinds = [], rawSql = WORKOUTS_SQL } = query;

  const change = useQueryChange(query, onChange);
  const typeSwitch = (
    <TypeSwitch<QueryType>
      types={TYPES}
      value={queryType === 'annotations' ? 'annotations' : 'sql'}
      onChange={(queryType) => change({ queryType, kinds, rawSql, format: 'table' })}
    />
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
        runsOnChange
      />
    );
  }
  return (
    <Stack direction="column" gap={1}>
      {typeSwitch}
      <NamesField
        id={selectors.annotation.kinds}
        label="Events"
        description="Leave empty to show all events."
        placeholder="All events"
        options={schema?.annotations.map(toEventOption) ?? []}
        value={schema ? kinds : []}
        onChange={(kinds) => change({ kinds })}
      />
    </Stack>
  );
}

/** `rest_mode` becomes *Rest mode*. */
function toEventOption({ name, description }: SchemaAnnotation): ComboboxOption {
  return { value: name, label: capitalize(name.replaceAll('_', ' ')), description };
}
