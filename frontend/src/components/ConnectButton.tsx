import { Button } from '@grafana/ui';
import React from 'react';

import type { Connection } from '../hooks/useConnection';
import type { Settings } from '../hooks/useSettings';
import { capitalize } from '../format';
import { selectors } from './selectors';

interface Props {
  settings: Settings;
  connection: Connection;
  /** Whether a client ID and a client secret are entered. */
  hasCredentials: boolean;
  isReconnecting?: boolean;
  variant?: 'primary' | 'secondary';
}

/** Saves the settings and opens Oura's login. */
export function ConnectButton({
  settings,
  connection,
  hasCredentials,
  isReconnecting = false,
  variant = 'primary',
}: Props) {
  const verb = isReconnecting ? 'reconnect' : 'connect';
  return (
    <Button
      data-testid={selectors.config.connect}
      icon="link"
      variant={connection.authorizeUrl ? 'secondary' : variant}
      disabled={connection.disabled || !hasCredentials}
      tooltip={hasCredentials ? undefined : 'Enter the client ID and client secret first'}
      onClick={connection.connect}
    >
      {settings.unsaved && !settings.readOnly ? `Save and ${verb}` : capitalize(verb)}
    </Button>
  );
}
