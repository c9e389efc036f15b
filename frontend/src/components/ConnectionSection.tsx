import { Badge, type BadgeColor, Stack, Text } from '@grafana/ui';
import React from 'react';

import { CONNECTION_STATES } from '../contract';
import { capitalize } from '../format';
import type { Connection } from '../hooks/useConnection';
import type { Settings } from '../hooks/useSettings';
import { describeScopes } from '../scopes';
import type { ConnectionState, Status } from '../types';
import { CollectionTable } from './CollectionTable';
import { ConnectionButtons } from './ConnectionButtons';
import { ErrorAlert } from './ErrorAlert';
import { PasteRedirectUrl } from './PasteRedirectUrl';
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

/** The login, the sync, and the stored collections. */
export function ConnectionSection({ settings, status, connection }: Props) {
  const { demo, clientId } = settings.jsonData;
  const { busy, finishing, error, authorizeUrl, finish } = connection;
  const connected = status?.state === 'connected';
  const hasCredentials = Boolean(clientId) && settings.hasSecret;
  const permissions = connected ? describeScopes(status.scopes) : undefined;

  return (
    <Section title="Connection">
      <ErrorAlert error={error} />
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
          hasCredentials={hasCredentials}
        />
      </Stack>
      {!demo && hasCredentials && (authorizeUrl || !connected) && (
        <PasteRedirectUrl
          authorizeUrl={authorizeUrl}
          disabled={busy || finishing}
          onSubmit={finish}
        />
      )}
      {!demo && !hasCredentials && (
        <Text color="secondary">Enter the client ID and client secret to connect.</Text>
      )}
      {status?.reason && <Text color="warning">{capitalize(status.reason)}</Text>}
      {permissions && <Text color="secondary">{permissions}</Text>}
      {status && <SyncProgress status={status} />}
      {status && (connected || hasDocuments(status)) && (
        <CollectionTable collections={status.collections} />
      )}
    </Section>
  );
}

function hasDocuments({ collections }: Status): boolean {
  return collections.some(({ documents }) => documents > 0);
}
