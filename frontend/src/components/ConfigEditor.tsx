import type { DataSourcePluginOptionsEditorProps } from '@grafana/data';
import { Alert, Stack, Text } from '@grafana/ui';
import React, { useMemo, useState } from 'react';

import { useConnection } from '../hooks/useConnection';
import { useSettings } from '../hooks/useSettings';
import { useStatus } from '../hooks/useStatus';
import { findStage } from '../pageState';
import { STAGES } from '../stages';
import { Resources } from '../resources';
import type { OuraOptions, OuraSecrets, Status } from '../types';
import { ApplicationSection } from './ApplicationSection';
import { CollectionTable } from './CollectionTable';
import { DemoOffer } from './DemoOffer';
import { ErrorAlert } from './ErrorAlert';
import { Fold } from './Fold';
import { Problems } from './Problems';
import { SetupSteps } from './SetupSteps';
import { StatusSection } from './StatusSection';
import { StoredData } from './StoredData';
import { SyncSettings } from './SyncSettings';

type Props = DataSourcePluginOptionsEditorProps<OuraOptions, OuraSecrets>;

/** The configuration page of a data source: its state, then its problems, then its settings. */
export function ConfigEditor(props: Props) {
  const { uid } = props.options;
  const resources = useMemo(() => new Resources(uid), [uid]);
  const settings = useSettings(props);
  const poll = useStatus(resources, settings.version);
  const connection = useConnection(uid, resources, settings, poll);
  const { demo, clientId, scopes } = settings.jsonData;
  const { status } = poll;

  const hasCredentials = Boolean(clientId) && settings.hasSecret;
  const { finishing } = connection;
  const stage =
    status && findStage(status, { hasCredentials, finishing, requestedScopes: demo ? '' : scopes });
  const [wasConfigured] = useState(hasCredentials);
  const isLoading = !status && !poll.error;
  // Steps must not flash up on the page of a connected data source.
  const isSettingUp = !demo && (status ? !hasLogin(status) : !wasConfigured || !isLoading);

  return (
    <Stack direction="column" gap={3}>
      <ErrorAlert error={connection.error} />
      {!connection.isAllowed && (
        <Alert severity="info" title="You can look at this page, but not change it">
          Connecting, syncing and settings require the role Admin. Ask an admin of this
          organization.
        </Alert>
      )}
      {isLoading && (
        <Text color="secondary">
          <span role="status">Loading the state of the connection…</span>
        </Text>
      )}
      {status && stage && (
        <StatusSection
          status={status}
          stage={stage}
          settings={settings}
          connection={connection}
          hasCredentials={hasCredentials}
        />
      )}
      {status && <Problems status={status} />}
      {isSettingUp && (
        <SetupSteps
          uid={uid}
          settings={settings}
          connection={connection}
          hasCredentials={hasCredentials}
          isPrimary={!stage || STAGES[stage].action === 'connect'}
        />
      )}
      {(isSettingUp || demo) && <DemoOffer settings={settings} connection={connection} />}
      {status && hasData(status) && (
        <Fold label="Collections">
          <CollectionTable collections={status.collections} />
        </Fold>
      )}
      {!isSettingUp && !demo && !isLoading && (
        <Fold label="Oura application">
          <ApplicationSection uid={uid} settings={settings} />
        </Fold>
      )}
      <Fold label="Sync settings">
        <SyncSettings settings={settings} collections={status?.collections} />
      </Fold>
      {status && (hasLogin(status) || hasData(status)) && (
        <Fold label="Stored data">
          <StoredData uid={uid} status={status} connection={connection} />
        </Fold>
      )}
    </Stack>
  );
}

function hasLogin({ state }: Status): boolean {
  return state === 'connected' || state === 'reconnect_needed';
}

function hasData({ collections }: Status): boolean {
  return collections.some(({ documents }) => documents > 0);
}
