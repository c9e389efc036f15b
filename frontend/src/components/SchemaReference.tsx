import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Input, useStyles2 } from '@grafana/ui';
import React, { useState } from 'react';

import { toSnippet } from '../sql/completion';
import type { Schema, SchemaFunction, SchemaMacro, SchemaTable } from '../types';
import { formatTypeAndUnit } from '../format';

interface Props {
  schema: Schema;
  /** Inserts a snippet into the statement. */
  onInsert: (snippet: string) => void;
}

/** The tables, macros and functions that a query can use. Each can be inserted. */
export function SchemaReference({ schema, onInsert }: Props) {
  const styles = useStyles2(getStyles);
  const [search, setSearch] = useState('');
  const needle = search.trim().toLowerCase();

  return (
    <div className={styles.reference}>
      <section>
        <h6>Macros</h6>
        <UsageList of={schema.macros} onInsert={onInsert} />
        <h6>Functions</h6>
        <UsageList of={schema.functions} onInsert={onInsert} />
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
              <Insertable text={table.name} label={`Insert ${table.name}`} onInsert={onInsert} />
              <dl className={styles.list}>
                {table.columns.map((column) => (
                  <React.Fragment key={column.name}>
                    <dt>
                      <Insertable text={column.name} onInsert={onInsert} />
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

interface UsageListProps {
  of: Array<SchemaMacro | SchemaFunction>;
  onInsert: (snippet: string) => void;
}

function UsageList({ of, onInsert }: UsageListProps) {
  const styles = useStyles2(getStyles);

  return (
    <dl className={styles.stack}>
      {of.map(({ name, usage, description }) => (
        <React.Fragment key={name}>
          <dt>
            <Insertable text={usage} snippet={toSnippet(usage)} onInsert={onInsert} />
          </dt>
          <dd>{description}</dd>
        </React.Fragment>
      ))}
    </dl>
  );
}

interface InsertableProps {
  text: string;
  /** The text to insert, if it is not `text`. */
  snippet?: string;
  label?: string;
  onInsert: (snippet: string) => void;
}

/** A name that a click inserts into the statement. */
function Insertable({ text, snippet = text, label, onInsert }: InsertableProps) {
  const styles = useStyles2(getStyles);
  return (
    <button
      type="button"
      className={styles.insert}
      aria-label={`Insert ${text}`}
      onClick={() => onInsert(snippet)}
    >
      {label ?? <code>{text}</code>}
    </button>
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
    gridTemplateColumns: 'repeat(auto-fit, minmax(min(320px, 100%), 1fr))',
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
  insert: css({
    padding: 0,
    border: 0,
    background: 'none',
    color: theme.colors.text.link,
    textAlign: 'left',
    cursor: 'pointer',
  }),
  quiet: css({ color: theme.colors.text.secondary }),
});
