/** The texts and the primary action of each stage of a data source. */
import type { BadgeColor } from '@grafana/ui';

import { type Stage, summarize } from './pageState';
import type { Status } from './types';

/** The actions on a data source, each a button of the page. */
export type Action = 'connect' | 'dashboards' | 'sync' | 'check' | 'repair';

interface StageTexts {
  /** The name of the stage. */
  label: string;
  color: BadgeColor;
  /** One sentence without a full stop. */
  describe: (status: Status) => string;
  /** The action that helps most. Without one, the user waits. */
  action?: Action;
}

export const STAGES: Record<Stage, StageTexts> = {
  not_set_up: {
    label: 'Not configured',
    color: 'blue',
    describe: describeSetUp,
    action: 'connect',
  },
  ready: {
    label: 'Ready to connect',
    color: 'blue',
    describe: describeSetUp,
    action: 'connect',
  },
  connecting: {
    label: 'Connecting…',
    color: 'blue',
    describe: () => 'Oura allowed access. Finishing the login',
  },
  importing: {
    label: 'Importing',
    color: 'blue',
    describe: () => 'Importing your history. The dashboards show the imported part',
    action: 'dashboards',
  },
  connected: {
    label: 'Connected',
    color: 'green',
    describe: (status) => summarize(status) ?? 'Connected to Oura. The first sync starts soon',
    action: 'dashboards',
  },
  reconnect: {
    label: 'Reconnect required',
    color: 'orange',
    describe: () => 'Syncing stopped. Stored data can still be queried',
    action: 'connect',
  },
  scopes: {
    label: 'Permission missing',
    color: 'orange',
    describe: () => 'Some collections stay empty. Reconnect, and allow all permissions',
    action: 'connect',
  },
  membership: {
    label: 'Membership inactive',
    color: 'orange',
    describe: () => 'Oura sends no new data. Renew the membership at Oura, then sync',
    action: 'sync',
  },
  failing: {
    label: 'Sync failed',
    color: 'orange',
    describe: () => 'New data is missing. Stored data can still be queried',
    action: 'sync',
  },
  disk: {
    label: 'Disk nearly full',
    color: 'orange',
    describe: () => 'Syncs will fail when the disk is full. Stored data is intact',
    action: 'check',
  },
  damaged: {
    label: 'Database damaged',
    color: 'red',
    describe: () => 'Queries may fail or lack data',
    action: 'repair',
  },
};

/** Returns whether the stage lacks data, or soon will. */
export function needsAttention(stage: Stage): boolean {
  return !['blue', 'green'].includes(STAGES[stage].color);
}

/** Mentions data that is left of an earlier connection. */
function describeSetUp({ collections }: Status): string {
  return collections.some(({ documents }) => documents > 0)
    ? 'Not connected. Stored data can still be queried'
    : 'Connect your Oura account in three steps';
}
