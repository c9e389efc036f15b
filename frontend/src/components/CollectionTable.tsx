import { css } from '@emotion/css';
import {
  Badge,
  type BadgeColor,
  type CellProps,
  type Column,
  InteractiveTable,
  Text,
} from '@grafana/ui';
import React from 'react';

import { COLLECTION_STATES } from '../contract';
import type { CollectionState, CollectionStatus } from '../types';
import { capitalize } from '../format';
import { selectors } from './selectors';

const COLORS: Record<CollectionState, BadgeColor> = {
  ok: 'green',
  waiting: 'blue',
  scope_missing: 'orange',
  membership_ended: 'orange',
  forbidden: 'orange',
  not_available: 'darkgrey',
  removed: 'darkgrey',
  app_too_old: 'orange',
  error: 'red',
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
  { id: 'reason', header: '', cell: why },
];

/** One line per collection: what it holds, and why it holds no more, or how complete it is. */
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
  return (
    <span className={styles.onOneLine}>
      {firstDay && lastDay ? `${firstDay} – ${lastDay}` : '–'}
    </span>
  );
}

function state({ value }: CellProps<CollectionStatus, CollectionState>) {
  return (
    <Badge
      className={styles.onOneLine}
      text={COLLECTION_STATES[value] ?? value}
      color={COLORS[value] ?? 'darkgrey'}
    />
  );
}

function why({ row }: CellProps<CollectionStatus>) {
  const { reason, summary } = row.original;
  return reason ? capitalize(reason) : <Text color="secondary">{capitalize(summary)}</Text>;
}

const styles = { onOneLine: css({ whiteSpace: 'nowrap' }) };
