import type { PanelData, QueryEditorProps, SelectableValue } from '@grafana/data';
import { RadioButtonGroup, Stack } from '@grafana/ui';
import React, { useState } from 'react';

import type { OuraDataSource } from '../datasource';
import { useSchema } from '../hooks/useSchema';
import {
  DEFAULT_METRICS,
  DEFAULT_QUERY,
  DEFAULT_SQL,
  type OuraOptions,
  type OuraQuery,
  type QueryType,
  type SqlPart,
} from '../types';
import { ConfirmDialog } from './ConfirmDialog';
import { SqlQueryEditor } from './SqlQueryEditor';
import { MetricsBuilder } from './builder/MetricsBuilder';
import { selectors } from './selectors';

type Props = QueryEditorProps<OuraDataSource, OuraQuery, OuraOptions>;

const TYPES: Array<SelectableValue<QueryType>> = [
  { label: 'Builder', value: 'metrics', description: 'Choose metrics from a list' },
  { label: 'SQL', value: 'sql', description: 'One SELECT over tables, views and macros' },
];

/** A panel's query: metrics chosen from a list, or SQL. */
export function QueryEditor({ query: given, datasource, data, onChange, onRunQuery }: Props) {
  const schema = useSchema(datasource);
  const query = isNew(given) ? { ...DEFAULT_QUERY, ...given } : given;
  const [asking, setAsking] = useState(false);
  const [builderSql, setBuilderSql] = useState<string>();

  const toSql = () => {
    const built = readBuiltSql(query, data);
    setBuilderSql(built.rawSql);
    onChange({ ...query, ...built, queryType: 'sql' });
    onRunQuery();
  };
  const toBuilder = () => {
    onChange({ ...DEFAULT_METRICS, ...query, queryType: 'metrics' });
    onRunQuery();
  };
  const toggle = (queryType: QueryType) => {
    if (queryType === 'sql') {
      toSql();
    } else if (![undefined, '', DEFAULT_SQL.rawSql, builderSql].includes(query.rawSql)) {
      setAsking(true);
    } else {
      toBuilder();
    }
  };
  const type = (
    <div data-testid={selectors.query.type}>
      <RadioButtonGroup
        size="sm"
        options={TYPES}
        value={query.queryType === 'metrics' ? 'metrics' : 'sql'}
        onChange={toggle}
      />
    </div>
  );

  if (query.queryType !== 'metrics') {
    return (
      <>
        <SqlQueryEditor
          query={query}
          schema={schema}
          onChange={onChange}
          onRunQuery={onRunQuery}
          lead={type}
          withFormat
        />
        <ConfirmDialog
          title="Back to the builder"
          isOpen={asking}
          answer="Go to the builder"
          onConfirm={toBuilder}
          onClose={() => setAsking(false)}
        >
          The builder cannot read SQL: it goes on with what was chosen there last, and coming back
          from it brings its own SQL in place of this. To keep what you wrote, copy it first.
        </ConfirmDialog>
      </>
    );
  }
  return (
    <Stack direction="column" gap={1}>
      {type}
      <MetricsBuilder
        query={{ ...DEFAULT_METRICS, ...query }}
        schema={schema}
        getValues={datasource.getValues}
        onChange={(part) => {
          onChange({ ...query, ...part });
          onRunQuery();
        }}
      />
    </Stack>
  );
}

function isNew({ queryType, rawSql }: OuraQuery): boolean {
  return queryType === undefined && rawSql === undefined;
}

/** The SQL that the builder's query was answered with, macros and all, for a person to go on from. */
function readBuiltSql({ refId }: OuraQuery, data?: PanelData): Partial<SqlPart> {
  const built = data?.series.find((frame) => frame.refId === refId)?.meta?.custom;
  return built?.rawSql
    ? { rawSql: built.rawSql, params: built.params ?? [], format: 'time_series' }
    : {};
}
