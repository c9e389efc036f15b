import { Button } from '@grafana/ui';
import React from 'react';

import { capitalize } from '../format';
import type { Connection } from '../hooks/useConnection';
import type { Settings } from '../hooks/useSettings';
import type { Status } from '../types';
import { DisconnectButton } from './DisconnectButton';
import { selectors } from './selectors';

interface Props {
  settings: Settings;
  status?: Status;
  connection: Connection;
  /** Whether a client ID and a client secret are entered. */
  hasCredentials: boolean;
}

/** Connect, sync and disconnect, as the connection's state allows. Demo data has no login. */
export function ConnectionButtons({ settings, status, connection, hasCredentials }: Props) {
  const { demo } = settings.jsonData;
  const { busy, finishing, authorizeUrl, connect, sync, disconnect } = connection;
  const connected = status?.state === 'connected';

  return (
    <>
      {!demo && (
        <Button
          data-testid={selectors.config.connect}
          icon="link"
          variant={connected || authorizeUrl ? 'secondary' : 'primary'}
          disabled={busy || finishing || !hasCredentials}
          tooltip={hasCredentials ? undefined : 'Enter the client ID and client secret first'}
          onClick={connect}
        >
          {connectLabel(settings.unsaved, connected)}
        </Button>
      )}
      {connected && (
        <Button
          data-testid={selectors.config.sync}
          icon="sync"
          variant="secondary"
          disabled={busy || status.sync.running}
          onClick={sync}
        >
          Sync now
        </Button>
      )}
      {connected && !demo && <DisconnectButton disabled={busy} onConfirm={disconnect} />}
    </>
  );
}

function connectLabel(unsaved: boolean, connected: boolean): string {
  const verb = connected ? 'reconnect' : 'connect';
  return unsaved ? `Save and ${verb}` : capitalize(verb);
}
