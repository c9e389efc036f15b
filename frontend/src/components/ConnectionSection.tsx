import { Badge, type BadgeColor, Stack, Text } from '@grafana/ui';
import React from 'react';

import type { Connection } from '../hooks/useConnection';
import type { Settings } from '../hooks/useSettings';
import { describeScopes } from '../scopes';
import type { ConnectionState, Status } from '../types';
import { capitalize } from '../format';
import { ConnectionButtons } from './ConnectionButtons';
import { CollectionTable } from './CollectionTable';
import { PasteRedirectUrl } from './PasteRedirectUrl';
import { ErrorAlert } from './ErrorAlert';
import { Section } from './Section';
import { SyncProgress } from './SyncProgress';
import { selectors } from './selectors';

const STATES: Record<ConnectionState, { text: string; color: BadgeColor }> = {
  not_configured: { text: 'Not set up', color: 'darkgrey' },
  not_connected: { text: 'Not connected', color: 'darkgrey' },
  connected: { text: 'Connected', color: 'green' },
  reconnect_needed: { text: 'Reconnect needed', color: 'orange' },
};

interface Props {
  settings: Settings;
  status?: Status;
  connection: Connection;
}

/** The login, the sync, and what every collection holds. */
export function ConnectionSection({ settings, status, connection }: Props) {
  const { demo, clientId } = settings.jsonData;
  const { busy, finishing, problem, authorizeUrl, finish } = connection;
  const loggedIn = status?.state === 'connected';
  const permissions = loggedIn ? describeScopes(status.scopes) : undefined;
  const obstacle = findMissingCredentials(Boolean(clientId), settings.hasSecret);

  return (
    <Section title="Account">
      <ErrorAlert problem={problem} />
      <Stack direction="row" gap={1} alignItems="center" wrap="wrap">
        {status && (
          <Badge
            data-testid={selectors.config.state}
            text={finishing ? 'Connecting…' : STATES[status.state].text}
            color={finishing ? 'blue' : STATES[status.state].color}
          />
        )}
        <ConnectionButtons
          settings={settings}
          status={status}
          connection={connection}
          obstacle={obstacle}
        />
      </Stack>
      {!demo && !obstacle && (authorizeUrl || !loggedIn) && (
        <PasteRedirectUrl
          authorizeUrl={authorizeUrl}
          disabled={busy || finishing}
          onAnswer={finish}
        />
      )}
      {obstacle && !demo && <Text color="secondary">{obstacle}</Text>}
      {status?.reason && <Text color="warning">{capitalize(status.reason)}</Text>}
      {permissions && <Text color="secondary">{permissions}</Text>}
      {status && <SyncProgress status={status} />}
      {status && (loggedIn || hasDocuments(status)) && (
        <CollectionTable collections={status.collections} />
      )}
    </Section>
  );
}

function hasDocuments({ collections }: Status): boolean {
  return collections.some(({ documents }) => documents > 0);
}

function findMissingCredentials(hasClientId: boolean, hasSecret: boolean): string | undefined {
  return hasClientId && hasSecret
    ? undefined
    : 'Enter the client ID and the client secret to connect.';
}
