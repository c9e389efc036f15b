import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Input, useStyles2 } from '@grafana/ui';
import React, { useState } from 'react';

import type { Schema, SchemaFunction, SchemaMacro, SchemaTable } from '../types';
import { formatTypeAndUnit } from '../format';

/** The tables, macros and functions that a query can use. */
export function SchemaReference({ schema }: { schema: Schema }) {
  const styles = useStyles2(getStyles);
  const [search, setSearch] = useState('');
  const needle = search.trim().toLowerCase();

  return (
    <div className={styles.reference}>
      <section>
        <h6>Macros</h6>
        <UsageList of={schema.macros} />
        <h6>Functions</h6>
        <UsageList of={schema.functions} />
      </section>
      <section>
        <h6>Tables</h6>
        <Input
          aria-label="Search tables and columns"
          placeholder="Search tables and columns"
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
        {schema.tables
          .filter((table) => mentions(table, needle))
          .map((table) => (
            <details key={table.name} open={needle !== ''}>
              <summary>
                <code>{table.name}</code> <span className={styles.quiet}>{table.description}</span>
              </summary>
              <dl className={styles.list}>
                {table.columns.map((column) => (
                  <React.Fragment key={column.name}>
                    <dt>
                      <code>{column.name}</code>
                    </dt>
                    <dd>
                      {formatTypeAndUnit(column)} {column.description}
                    </dd>
                  </React.Fragment>
                ))}
              </dl>
            </details>
          ))}
      </section>
    </div>
  );
}

function UsageList({ of }: { of: Array<SchemaMacro | SchemaFunction> }) {
  const styles = useStyles2(getStyles);

  return (
    <dl className={styles.stack}>
      {of.map(({ name, usage, description }) => (
        <React.Fragment key={name}>
          <dt>
            <code>{usage}</code>
          </dt>
          <dd>{description}</dd>
        </React.Fragment>
      ))}
    </dl>
  );
}

function mentions({ name, columns }: SchemaTable, needle: string): boolean {
  return (
    name.toLowerCase().includes(needle) ||
    columns.some((column) => column.name.toLowerCase().includes(needle))
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  reference: css({
    display: 'grid',
    gridTemplateColumns: 'repeat(auto-fit, minmax(320px, 1fr))',
    gap: theme.spacing(3),
    maxHeight: 320,
    overflow: 'auto',
    padding: theme.spacing(2),
    background: theme.colors.background.secondary,
    borderRadius: theme.shape.radius.default,
    summary: { padding: theme.spacing(0.5, 0), cursor: 'pointer' },
  }),
  list: css({
    display: 'grid',
    gridTemplateColumns: 'minmax(160px, auto) 1fr',
    gap: theme.spacing(0.5, 2),
    margin: theme.spacing(0.5, 0, 1.5),
    dt: { fontWeight: theme.typography.fontWeightRegular },
    dd: { margin: 0, color: theme.colors.text.secondary },
  }),
  stack: css({
    dt: { fontWeight: theme.typography.fontWeightRegular },
    dd: { margin: theme.spacing(0.25, 0, 1, 0.5), color: theme.colors.text.secondary },
  }),
  quiet: css({ color: theme.colors.text.secondary }),
});
