import { Badge, type BadgeColor, Button, Stack, Text } from '@grafana/ui';
import React from 'react';

import { CONNECTION_STATES } from '../contract';
import type { Connection } from '../hooks/useConnection';
import type { Settings } from '../hooks/useSettings';
import { type Stage, listMissingScopes, summarize } from '../pageState';
import type { Status } from '../types';
import { ConnectButton } from './ConnectButton';
import { DisconnectButton } from './DisconnectButton';
import { PasteRedirectUrl } from './PasteRedirectUrl';
import { SyncProgress } from './SyncProgress';
import { selectors } from './selectors';

const COLORS: Record<Stage, BadgeColor> = {
  not_set_up: 'blue',
  ready: 'blue',
  connecting: 'blue',
  importing: 'blue',
  connected: 'green',
  reconnect: 'orange',
  damaged: 'red',
};

/** Labels of stages that are not a state of the connection. */
const LABELS: Partial<Record<Stage, string>> = {
  ready: 'Ready to connect',
  connecting: 'Connecting…',
  importing: 'Importing',
  damaged: 'Database damaged',
};

interface Props {
  status: Status;
  stage: Stage;
  settings: Settings;
  connection: Connection;
  hasCredentials: boolean;
}

/** The state of the data source in one sentence, its progress, and its actions. */
export function StatusSection({ status, stage, settings, connection, hasCredentials }: Props) {
  const { demo } = settings.jsonData;
  const isConnected = status.state === 'connected';
  const isReconnecting = !demo && status.state === 'reconnect_needed';
  const reconnect = (
    <ConnectButton
      settings={settings}
      connection={connection}
      hasCredentials={hasCredentials}
      isReconnecting
      variant={isReconnecting ? 'primary' : 'secondary'}
    />
  );
  const missing = isConnected ? listMissingScopes(status) : [];

  return (
    <Stack direction="column" gap={1.5}>
      <Stack direction="row" gap={1} alignItems="center" wrap="wrap">
        <Badge
          data-testid={selectors.config.state}
          text={
            demo ? 'Demo data' : (LABELS[stage] ?? CONNECTION_STATES[status.state] ?? status.state)
          }
          color={COLORS[stage]}
        />
        <div data-testid={selectors.config.summary}>
          <Text element="h2" variant="h5">
            {describe(status, stage)}
          </Text>
        </div>
      </Stack>
      <SyncProgress status={status} />
      {missing.length > 0 && (
        <Text color="secondary">
          Permissions that you didn’t grant: {missing.join(', ')}. Reconnect to grant them.
        </Text>
      )}
      {(isConnected || isReconnecting) && (
        <Stack direction="row" gap={1} alignItems="center" wrap="wrap">
          {isReconnecting && reconnect}
          <Button
            data-testid={selectors.config.dashboards}
            icon="apps"
            variant={isReconnecting || stage === 'damaged' ? 'secondary' : 'primary'}
            disabled={connection.busy}
            onClick={connection.openDashboards}
          >
            Open dashboards
          </Button>
          {isConnected && (
            <Button
              data-testid={selectors.config.sync}
              icon="sync"
              variant="secondary"
              disabled={connection.busy || status.sync.running}
              onClick={connection.sync}
            >
              Sync now
            </Button>
          )}
          {isConnected && !demo && reconnect}
          {!demo && (
            <DisconnectButton disabled={connection.busy} onConfirm={connection.disconnect} />
          )}
        </Stack>
      )}
      {(isReconnecting || (isConnected && connection.authorizeUrl)) && (
        <PasteRedirectUrl
          authorizeUrl={connection.authorizeUrl}
          disabled={connection.busy || connection.finishing}
          onSubmit={connection.finish}
        />
      )}
    </Stack>
  );
}

function describe(status: Status, stage: Stage): string {
  switch (stage) {
    case 'connecting':
      return 'Oura allowed access. Finishing the login';
    case 'importing':
      return 'Importing your history. The dashboards show the imported part';
    case 'reconnect':
      return 'Syncing stopped. Stored data can still be queried';
    case 'damaged':
      return 'Queries may fail or lack data';
    case 'connected':
      return summarize(status) ?? 'Connected to Oura. The first sync starts soon';
    default:
      return summarizeStored(status) ?? 'Connect your Oura account in three steps';
  }
}

/** Mentions data that is left of an earlier connection. */
function summarizeStored(status: Status): string | undefined {
  const hasData = status.collections.some(({ documents }) => documents > 0);
  return hasData ? 'Not connected. Stored data can still be queried' : undefined;
}
