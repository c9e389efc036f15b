import { Button } from '@grafana/ui';
import React from 'react';

import type { Connection } from '../hooks/useConnection';
import type { Settings } from '../hooks/useSettings';
import type { Status } from '../types';
import { DisconnectButton } from './DisconnectButton';
import { selectors } from './selectors';

interface Props {
  settings: Settings;
  status?: Status;
  connection: Connection;
  /** Why no login can begin. */
  obstacle?: string;
}

/** Connect, sync, disconnect: what the account's state allows. Demo data needs no login, and has none to end. */
export function ConnectionButtons({ settings, status, connection, obstacle }: Props) {
  const { demo } = settings.jsonData;
  const { busy, finishing, authorizeUrl, connect, sync, disconnect } = connection;
  const loggedIn = status?.state === 'connected';

  return (
    <>
      {!demo && (
        <Button
          data-testid={selectors.config.connect}
          icon="link"
          variant={loggedIn || authorizeUrl ? 'secondary' : 'primary'}
          disabled={busy || finishing || obstacle !== undefined}
          tooltip={obstacle}
          onClick={connect}
        >
          {connectLabel(settings.unsaved, loggedIn)}
        </Button>
      )}
      {loggedIn && (
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
      {loggedIn && !demo && <DisconnectButton disabled={busy} onConfirm={disconnect} />}
    </>
  );
}

function connectLabel(unsaved: boolean, loggedIn: boolean): string {
  const verb = loggedIn ? 'reconnect' : 'connect';
  return unsaved ? `Save and ${verb}` : verb.charAt(0).toUpperCase() + verb.slice(1);
}
