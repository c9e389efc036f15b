import type { PanelData, QueryEditorProps, SelectableValue } from '@grafana/data';
import { Stack } from '@grafana/ui';
import React, { useEffect, useState } from 'react';

import { useQueryChange } from '../hooks/useQueryChange';
import { useSchema } from '../hooks/useSchema';
import { completeQuery, isNew } from '../savedQuery';
import type { EditorDataSource } from '../schemaSource';
import {
  DEFAULT_METRICS,
  DEFAULT_SQL,
  type OuraOptions,
  type OuraQuery,
  type QueryType,
  type SqlPart,
} from '../types';
import { ConfirmDialog } from './ConfirmDialog';
import { SqlQueryEditor } from './SqlQueryEditor';
import { TypeSwitch } from './TypeSwitch';
import { MetricsBuilder } from './builder/MetricsBuilder';

type Props = QueryEditorProps<EditorDataSource, OuraQuery, OuraOptions>;

const TYPES: Array<SelectableValue<QueryType>> = [
  { label: 'Builder', value: 'metrics', description: 'Select metrics from a list' },
  { label: 'SQL', value: 'sql', description: 'Write a SELECT statement' },
];

/** A panel's query: the metrics builder, or SQL. */
export function QueryEditor({ query: saved, datasource, data, onChange, onRunQuery }: Props) {
  const schema = useSchema(datasource);
  const query = completeQuery(saved);
  const change = useQueryChange(query, onChange, onRunQuery);

  // Explore runs no query without fields, so a new one gets the fields that the editor shows.
  useEffect(() => {
    if (isNew(saved)) {
      onChange(query);
      onRunQuery();
    }
    // Run once: later changes are the user's.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  const [isConfirming, setConfirming] = useState(false);
  const [builderSql, setBuilderSql] = useState<string>();

  const switchToSql = () => {
    const built = readBuiltSql(query, data);
    setBuilderSql(built.rawSql);
    onChange({ ...query, ...built, queryType: 'sql' });
    onRunQuery();
  };
  const switchToBuilder = () => {
    onChange({ ...DEFAULT_METRICS, ...query, queryType: 'metrics' });
    onRunQuery();
  };
  const switchType = (queryType: QueryType) => {
    if (queryType === 'sql') {
      switchToSql();
    } else if (isHandwritten(query, builderSql)) {
      setConfirming(true);
    } else {
      switchToBuilder();
    }
  };
  const typeSwitch = (
    <TypeSwitch
      types={TYPES}
      value={query.queryType === 'metrics' ? 'metrics' : 'sql'}
      onChange={switchType}
    />
  );

  if (query.queryType !== 'metrics') {
    return (
      <>
        <SqlQueryEditor
          query={query}
          schema={schema}
          getValues={datasource.getValues}
          error={findError(query, data)}
          onChange={onChange}
          onRunQuery={onRunQuery}
          lead={typeSwitch}
          withFormat
        />
        <ConfirmDialog
          title="Switch to the builder?"
          isOpen={isConfirming}
          confirmText="Switch to builder"
          onConfirm={switchToBuilder}
          onClose={() => setConfirming(false)}
        >
          <p>
            The builder can’t parse SQL. It reopens your last builder settings, and switching back
            to SQL overwrites this query. Copy it first if you want to keep it.
          </p>
        </ConfirmDialog>
      </>
    );
  }
  return (
    <Stack direction="column" gap={1}>
      {typeSwitch}
      <MetricsBuilder
        query={{ ...DEFAULT_METRICS, ...query }}
        schema={schema}
        sql={readBuiltSql(query, data).rawSql}
        getValues={datasource.getValues}
        onChange={change}
      />
    </Stack>
  );
}

/** Returns whether the query's SQL differs from the default and from the builder's SQL. */
function isHandwritten({ rawSql }: OuraQuery, builderSql?: string): boolean {
  return ![undefined, '', DEFAULT_SQL.rawSql, builderSql].includes(rawSql);
}

/** Returns the error message of the query's last run. */
function findError({ refId }: OuraQuery, data?: PanelData): string | undefined {
  const errors = data?.errors ?? [];
  const error = errors.find((each) => each.refId === undefined || each.refId === refId);
  return error?.message ?? error?.data?.message;
}

/** Reads the SQL that the backend generated for the builder's query, with its macros. */
function readBuiltSql({ refId }: OuraQuery, data?: PanelData): Partial<SqlPart> {
  const built = data?.series.find((frame) => frame.refId === refId)?.meta?.custom;
  if (!built?.rawSql) {
    return {};
  }
  return { rawSql: built.rawSql, params: built.params ?? [], format: 'time_series' };
}
