import { Badge, type BadgeColor, Stack, Text } from '@grafana/ui';
import React from 'react';

import { CONNECTION_STATES } from '../contract';
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

const COLORS: Record<ConnectionState, BadgeColor> = {
  not_configured: 'darkgrey',
  not_connected: 'darkgrey',
  connected: 'green',
  reconnect_needed: 'orange',
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
            text={finishing ? 'Connecting…' : CONNECTION_STATES[status.state]}
            color={finishing ? 'blue' : COLORS[status.state]}
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
