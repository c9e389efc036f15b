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

import type { CollectionStatus } from '../types';
import { capitalize } from '../format';
import { selectors } from './selectors';

/** Labels of collection states. An unknown state shows its own name. */
const STATES: Record<string, { text: string; color: BadgeColor }> = {
  ok: { text: 'OK', color: 'green' },
  waiting: { text: 'Waiting', color: 'blue' },
  scope_missing: { text: 'Permission missing', color: 'orange' },
  membership_ended: { text: 'Membership ended', color: 'orange' },
  forbidden: { text: 'Refused', color: 'orange' },
  not_available: { text: 'Not available', color: 'darkgrey' },
  removed: { text: 'No longer offered', color: 'darkgrey' },
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
    <div data-testid={selectors.config.collections}>
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

function stateBadge({ value }: CellProps<CollectionStatus, string>) {
  return (
    <Badge className={styles.nowrap} {...(STATES[value] ?? { text: value, color: 'darkgrey' })} />
  );
}

function details({ row }: CellProps<CollectionStatus>) {
  const { reason, summary } = row.original;
  return reason ? capitalize(reason) : <Text color="secondary">{capitalize(summary)}</Text>;
}

const styles = { nowrap: css({ whiteSpace: 'nowrap' }) };
