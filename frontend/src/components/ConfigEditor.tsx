import type { DataSourcePluginOptionsEditorProps } from '@grafana/data';
import { Field, Stack, Switch } from '@grafana/ui';
import React, { useMemo } from 'react';

import { useConnection } from '../hooks/useConnection';
import { useSettings } from '../hooks/useSettings';
import { useStatus } from '../hooks/useStatus';
import { Resources } from '../resources';
import type { OuraOptions, OuraSecrets } from '../types';
import { ConnectionSection } from './ConnectionSection';
import { ApplicationSection } from './ApplicationSection';
import { SyncSettings } from './SyncSettings';
import { selectors } from './selectors';

type Props = DataSourcePluginOptionsEditorProps<OuraOptions, OuraSecrets>;

/** The configuration page of a data source. */
export function ConfigEditor(props: Props) {
  const { uid } = props.options;
  const resources = useMemo(() => new Resources(uid), [uid]);
  const settings = useSettings(props);
  const poll = useStatus(resources, settings.version);
  const connection = useConnection(uid, resources, settings, poll);
  const { demo } = settings.jsonData;

  return (
    <Stack direction="column" gap={4}>
      <Field
        label="Demo data"
        description="Use generated data instead of an Oura account. No requests are sent to Oura."
        noMargin
      >
        <Switch
          data-testid={selectors.config.demo}
          value={demo ?? false}
          disabled={settings.readOnly}
          onChange={(event) => settings.change({ demo: event.currentTarget.checked })}
        />
      </Field>
      {!demo && <ApplicationSection uid={uid} settings={settings} />}
      <ConnectionSection settings={settings} status={poll.status} connection={connection} />
      <SyncSettings settings={settings} />
    </Stack>
  );
}
