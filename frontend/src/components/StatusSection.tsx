import { Badge, Button, Stack, Text } from '@grafana/ui';
import React, { type ReactNode } from 'react';

import type { Connection } from '../hooks/useConnection';
import type { Settings } from '../hooks/useSettings';
import { type Stage, listMissingScopes } from '../pageState';
import { type Action, STAGES, needsAttention } from '../stages';
import type { Status } from '../types';
import { ConfirmButton } from './ConfirmButton';
import { ConnectButton } from './ConnectButton';
import { PasteRedirectUrl } from './PasteRedirectUrl';
import { SyncProgress } from './SyncProgress';
import { selectors } from './selectors';

interface Props {
  status: Status;
  stage: Stage;
  settings: Settings;
  connection: Connection;
  hasCredentials: boolean;
}

/** The state of the data source in one sentence, its progress, and its actions. */
export function StatusSection(props: Props) {
  const { status, stage, settings, connection } = props;
  const { demo } = settings.jsonData;
  const { label, color, describe } = STAGES[stage];
  const isConnected = status.state === 'connected';
  const missing = isConnected ? listMissingScopes(status) : [];
  const canLogIn = isConnected || status.state === 'reconnect_needed';

  return (
    <Stack direction="column" gap={1.5}>
      <Stack direction="row" gap={1} alignItems="center" wrap="wrap">
        <Badge
          data-testid={selectors.config.state}
          text={demo && !needsAttention(stage) ? 'Demo data' : label}
          color={color}
        />
        <div data-testid={selectors.config.summary}>
          <Text element="h2" variant="h5">
            {demo && !isConnected ? 'Preparing demo data' : describe(status)}
          </Text>
        </div>
      </Stack>
      <SyncProgress status={status} />
      {missing.length > 0 && (
        <Text color="secondary">
          Permissions that you didn’t grant: {missing.join(', ')}. Reconnect to grant them.
        </Text>
      )}
      <Actions {...props} />
      {!demo && canLogIn && (!isConnected || connection.authorizeUrl) && (
        <PasteRedirectUrl
          authorizeUrl={connection.authorizeUrl}
          disabled={connection.disabled}
          onSubmit={connection.finish}
        />
      )}
    </Stack>
  );
}

/** The buttons of the data source's state, the primary one first. */
function Actions({ status, stage, settings, connection, hasCredentials }: Props) {
  const { demo } = settings.jsonData;
  const { action: primary } = STAGES[stage];
  const variant = (action: Action) => (action === primary ? 'primary' : 'secondary');
  const isConnected = status.state === 'connected';
  const hasLogin = isConnected || status.state === 'reconnect_needed';

  const buttons: Record<Action, ReactNode> = {
    repair: stage === 'damaged' && (
      <ConfirmButton
        key="repair"
        action="Repair"
        question="Repair the database?"
        button={{
          'data-testid': selectors.config.repair,
          variant: variant('repair'),
          disabled: connection.disabled,
        }}
        onConfirm={connection.repair}
      >
        The damaged file is renamed and stays in the data folder. The next sync fetches everything
        again.
      </ConfirmButton>
    ),
    check: stage === 'disk' && (
      <Button
        key="check"
        data-testid={selectors.config.check}
        variant={variant('check')}
        disabled={connection.busy}
        onClick={connection.check}
      >
        Check again
      </Button>
    ),
    connect: hasLogin && !demo && (
      <ConnectButton
        key="connect"
        settings={settings}
        connection={connection}
        hasCredentials={hasCredentials}
        isReconnecting
        variant={variant('connect')}
      />
    ),
    sync: isConnected && (
      <Button
        key="sync"
        data-testid={selectors.config.sync}
        icon="sync"
        variant={variant('sync')}
        disabled={connection.disabled || status.sync.running}
        onClick={connection.sync}
      >
        Sync now
      </Button>
    ),
    dashboards: hasLogin && (
      <Button
        key="dashboards"
        data-testid={selectors.config.dashboards}
        icon="apps"
        variant={variant('dashboards')}
        disabled={connection.busy}
        onClick={connection.openDashboards}
      >
        Open dashboards
      </Button>
    ),
  };
  const order: Action[] = ['dashboards', 'sync', 'connect', 'check', 'repair'];
  order.sort((a, b) => Number(b === primary) - Number(a === primary));

  return (
    <Stack direction="row" gap={1} alignItems="center" wrap="wrap">
      {order.map((action) => buttons[action])}
      {hasLogin && !demo && (
        <ConfirmButton
          action="Disconnect"
          question="Disconnect from Oura?"
          button={{
            'data-testid': selectors.config.disconnect,
            variant: 'destructive',
            fill: 'outline',
            disabled: connection.disabled,
          }}
          onConfirm={connection.disconnect}
        >
          Syncing stops until you connect again. Existing data stays and can still be queried.
        </ConfirmButton>
      )}
    </Stack>
  );
}
