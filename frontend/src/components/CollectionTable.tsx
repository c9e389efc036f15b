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
  {
    id: 'name',
    header: 'Collection',
    sortType: 'alphanumeric',
    cell: ({ value }: CellProps<CollectionStatus, string>) => (
      <div className={styles.name}>{value}</div>
    ),
  },
  {
    id: 'documents',
    header: 'Documents',
    sortType: 'number',
    cell: ({ value }: CellProps<CollectionStatus, number>) => (
      <span className={styles.number}>{value.toLocaleString('en-US')}</span>
    ),
  },
  { id: 'lastDay', header: 'Date range', sortType: 'string', cell: dateRange },
  { id: 'state', header: 'State', sortType: 'alphanumeric', cell: stateBadge },
  { id: 'reason', header: 'Details', cell: details },
];

/** One row per collection: its documents, dates and state, and the reason or completeness. */
export function CollectionTable({ collections }: { collections: CollectionStatus[] }) {
  if (collections.length === 0) {
    return null;
  }
  return (
    <div data-testid={selectors.config.collections} className={styles.scroll}>
      <InteractiveTable columns={COLUMNS} data={collections} getRowId={({ name }) => name} />
    </div>
  );
}

function dateRange({ row }: CellProps<CollectionStatus>) {
  const { firstDay, lastDay } = row.original;
  return (
    <span className={styles.nowrap}>{firstDay && lastDay ? `${firstDay} – ${lastDay}` : '–'}</span>
  );
}

function stateBadge({ value }: CellProps<CollectionStatus, CollectionState>) {
  return (
    <Badge
      className={styles.nowrap}
      text={COLLECTION_STATES[value] ?? value}
      color={COLORS[value] ?? 'darkgrey'}
    />
  );
}

function details({ row }: CellProps<CollectionStatus>) {
  const { reason, summary } = row.original;
  return (
    <div className={styles.details}>
      {reason ? capitalize(reason) : <Text color="secondary">{capitalize(summary)}</Text>}
    </div>
  );
}

const styles = {
  nowrap: css({ whiteSpace: 'nowrap' }),
  name: css({ minWidth: 180, overflowWrap: 'anywhere' }),
  // On a phone the table scrolls. Without a width, its rows would be several lines high.
  details: css({ minWidth: 260, overflowWrap: 'anywhere' }),
  number: css({ display: 'block', textAlign: 'right', fontVariantNumeric: 'tabular-nums' }),
  scroll: css({ overflowX: 'auto' }),
};
