import { Badge, type BadgeColor, Button, Stack, Text } from '@grafana/ui';
import React, { useState } from 'react';

import type { LoginReturn } from '../hooks/useLoginReturn';
import type { Settings } from '../hooks/useSettings';
import type { StatusPoll } from '../hooks/useStatus';
import type { LoginAnswer } from '../loginAnswer';
import { leaveFor, redirectOf } from '../navigation';
import type { Resources } from '../resources';
import { granted } from '../scopes';
import type { ConnectionState, Status } from '../types';
import { sentence } from '../words';
import { CollectionTable } from './CollectionTable';
import { Disconnect } from './Disconnect';
import { PasteAnswer } from './PasteAnswer';
import { Problem } from './Problem';
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
  uid: string;
  resources: Resources;
  settings: Settings;
  poll: StatusPoll;
  login: LoginReturn;
}

/** The login, the sync, and what every collection holds. */
export function Account({ uid, resources, settings, poll, login }: Props) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Error>();
  const [authorizeUrl, setAuthorizeUrl] = useState<string>();

  const { status } = poll;
  const { demo, clientId } = settings.jsonData;
  const loggedIn = status?.state === 'connected';
  const permissions = loggedIn ? granted(status.scopes) : undefined;
  const obstacle = connectObstacle(Boolean(clientId), settings.hasSecret);

  const act = async (action: () => Promise<unknown>) => {
    setBusy(true);
    setProblem(undefined);
    login.forget();
    try {
      await action();
      await poll.refresh();
    } catch (error) {
      setProblem(error instanceof Error ? error : new Error(String(error)));
    } finally {
      setBusy(false);
    }
  };

  const connect = async () => {
    await settings.save();
    const { uri, comesBack } = redirectOf(uid);
    const { authorizeUrl } = await resources.startLogin(uri);
    if (comesBack) {
      leaveFor(authorizeUrl);
    } else {
      setAuthorizeUrl(authorizeUrl);
    }
  };

  const finish = async (answer: LoginAnswer) => {
    setAuthorizeUrl(undefined);
    setProblem(undefined);
    await login.finish(answer);
  };

  return (
    <Section title="Account">
      <Problem problem={problem ?? login.problem ?? poll.problem} />
      <Stack direction="row" gap={1} alignItems="center" wrap="wrap">
        {status && (
          <Badge
            data-testid={selectors.config.state}
            text={login.finishing ? 'Connecting…' : STATES[status.state].text}
            color={login.finishing ? 'blue' : STATES[status.state].color}
          />
        )}
        {!demo && (
          <Button
            data-testid={selectors.config.connect}
            icon="link"
            variant={loggedIn || authorizeUrl ? 'secondary' : 'primary'}
            disabled={busy || login.finishing || obstacle !== undefined}
            tooltip={obstacle}
            onClick={() => act(connect)}
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
            onClick={() => act(resources.sync)}
          >
            Sync now
          </Button>
        )}
        {loggedIn && !demo && <Disconnect disabled={busy} onConfirm={() => act(resources.disconnect)} />}
      </Stack>
      {!demo && !obstacle && (authorizeUrl || !loggedIn) && (
        <PasteAnswer authorizeUrl={authorizeUrl} disabled={busy || login.finishing} onAnswer={finish} />
      )}
      {obstacle && !demo && <Text color="secondary">{obstacle}</Text>}
      {status?.reason && <Text color="warning">{sentence(status.reason)}</Text>}
      {permissions && <Text color="secondary">{permissions}</Text>}
      {status && <SyncProgress status={status} />}
      {status && (loggedIn || holdsAnything(status)) && <CollectionTable collections={status.collections} />}
    </Section>
  );
}

function holdsAnything({ collections }: Status): boolean {
  return collections.some(({ documents }) => documents > 0);
}

function connectObstacle(hasClientId: boolean, hasSecret: boolean): string | undefined {
  return hasClientId && hasSecret ? undefined : 'Enter the client ID and the client secret to connect.';
}

function connectLabel(unsaved: boolean, loggedIn: boolean): string {
  const verb = loggedIn ? 'reconnect' : 'connect';
  return unsaved ? `Save and ${verb}` : verb.charAt(0).toUpperCase() + verb.slice(1);
}
