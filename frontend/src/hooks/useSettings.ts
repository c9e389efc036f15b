import type { DataSourcePluginOptionsEditorProps, DataSourceSettings } from '@grafana/data';
import { getBackendSrv } from '@grafana/runtime';
import { useEffect, useState } from 'react';

import type { OuraOptions, OuraSecrets } from '../types';

type Props = DataSourcePluginOptionsEditorProps<OuraOptions, OuraSecrets>;

/** The data source's settings as the page edits them, and whether Grafana has them already. */
export interface Settings {
  jsonData: OuraOptions;
  readOnly: boolean;
  change: (part: Partial<OuraOptions>) => void;
  hasSecret: boolean;
  isSecretStored: boolean;
  setSecret: (clientSecret: string) => void;
  resetSecret: () => void;
  unsaved: boolean;
  /** Does what *Save & test* does, without the test. */
  save: () => Promise<void>;
  /** Changes when something was saved. */
  version?: number;
}

export function useSettings({ options, onOptionsChange }: Props): Settings {
  const { jsonData, secureJsonData, secureJsonFields, version } = options;
  const readOnly = Boolean(options.readOnly);
  const current = JSON.stringify(jsonData);

  const [saved, setSaved] = useState({ version, jsonData: current });
  if (saved.version !== version) {
    setSaved({ version, jsonData: current });
  }

  const change = (part: Partial<OuraOptions>) =>
    onOptionsChange({ ...options, jsonData: { ...jsonData, ...part } });

  useEffect(() => {
    if (!readOnly && jsonData.timezone === undefined) {
      change({ timezone: Intl.DateTimeFormat().resolvedOptions().timeZone });
    }
    // Only the settings the page was opened with decide.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  const unsaved = saved.jsonData !== current || Boolean(secureJsonData?.clientSecret);

  const save = async () => {
    if (!unsaved) {
      return;
    }
    const answer = await getBackendSrv().put<{
      datasource: DataSourceSettings<OuraOptions, OuraSecrets>;
    }>(`/api/datasources/uid/${options.uid}`, options);
    onOptionsChange({ ...options, ...answer.datasource, secureJsonData: {} });
  };

  return {
    jsonData,
    readOnly,
    change,
    isSecretStored: Boolean(secureJsonFields?.clientSecret),
    hasSecret: Boolean(secureJsonFields?.clientSecret || secureJsonData?.clientSecret),
    setSecret: (clientSecret) =>
      onOptionsChange({ ...options, secureJsonData: { ...secureJsonData, clientSecret } }),
    resetSecret: () =>
      onOptionsChange({
        ...options,
        secureJsonFields: { ...secureJsonFields, clientSecret: false },
        secureJsonData: { ...secureJsonData, clientSecret: '' },
      }),
    unsaved,
    save,
    version,
  };
}
