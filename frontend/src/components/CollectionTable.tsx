import { css } from '@emotion/css';
import { Badge, type BadgeColor, type CellProps, type Column, InteractiveTable } from '@grafana/ui';
import React from 'react';

import type { CollectionStatus } from '../types';
import { selectors } from './selectors';

/** The states a collection can be in; one that is not here is shown as it is called. */
const STATES: Record<string, { text: string; color: BadgeColor }> = {
  ok: { text: 'OK', color: 'green' },
  waiting: { text: 'Waiting', color: 'blue' },
  scope_missing: { text: 'Permission missing', color: 'orange' },
  forbidden: { text: 'Refused', color: 'orange' },
  not_available: { text: 'Not available', color: 'darkgrey' },
  app_too_old: { text: 'Oura app too old', color: 'orange' },
  error: { text: 'Failed', color: 'red' },
};

const COLUMNS: Array<Column<CollectionStatus>> = [
  { id: 'name', header: 'Collection', sortType: 'alphanumeric' },
  {
    id: 'documents',
    header: 'Documents',
    sortType: 'number',
    cell: ({ value }: CellProps<CollectionStatus, number>) => value.toLocaleString(),
  },
  { id: 'lastDay', header: 'Days', sortType: 'string', cell: days },
  { id: 'state', header: 'State', sortType: 'alphanumeric', cell: state },
  { id: 'reason', header: '' },
];

/** One line per collection: what it holds, and why it holds no more. */
export function CollectionTable({ collections }: { collections: CollectionStatus[] }) {
  if (collections.length === 0) {
    return null;
  }
  return (
    <div data-testid={selectors.config.collections}>
      <InteractiveTable columns={COLUMNS} data={collections} getRowId={({ name }) => name} />
    </div>
  );
}

function days({ row }: CellProps<CollectionStatus>) {
  const { firstDay, lastDay } = row.original;
  return <span className={styles.onOneLine}>{firstDay && lastDay ? `${firstDay} – ${lastDay}` : '–'}</span>;
}

function state({ value }: CellProps<CollectionStatus, string>) {
  return <Badge className={styles.onOneLine} {...(STATES[value] ?? { text: value, color: 'darkgrey' })} />;
}

const styles = { onOneLine: css({ whiteSpace: 'nowrap' }) };
