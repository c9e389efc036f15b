import type { DataSourcePluginOptionsEditorProps, DataSourceSettings } from '@grafana/data';
import { getBackendSrv } from '@grafana/runtime';
import { useEffect, useState } from 'react';

import type { OuraOptions, OuraSecrets } from '../types';
import { isAdmin } from '../user';

type Props = DataSourcePluginOptionsEditorProps<OuraOptions, OuraSecrets>;

/** The data source's settings on the configuration page, saved or not. */
export interface Settings {
  jsonData: OuraOptions;
  /** Whether a file defines the settings, or the user may not change them. */
  readOnly: boolean;
  change: (part: Partial<OuraOptions>) => void;
  /** Whether a client secret is stored or entered. */
  hasSecret: boolean;
  isSecretStored: boolean;
  setSecret: (clientSecret: string) => void;
  resetSecret: () => void;
  unsaved: boolean;
  /** Saves like *Save & test*, without the test, together with the given settings. */
  save: (part?: Partial<OuraOptions>) => Promise<void>;
  /** Changes with every save. */
  version?: number;
}

/** Edits Grafana's settings of the data source. A new one gets the browser's time zone. */
export function useSettings({ options, onOptionsChange }: Props): Settings {
  const { jsonData, secureJsonData, secureJsonFields, version } = options;
  const readOnly = Boolean(options.readOnly) || !isAdmin();
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
    // Run once: only the settings at the first render count.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  const unsaved = saved.jsonData !== current || Boolean(secureJsonData?.clientSecret);

  const save = async (part?: Partial<OuraOptions>) => {
    if (!unsaved && !part) {
      return;
    }
    const changed = { ...options, jsonData: { ...jsonData, ...part } };
    const response = await getBackendSrv().put<{
      datasource: DataSourceSettings<OuraOptions, OuraSecrets>;
    }>(`/api/datasources/uid/${options.uid}`, changed);
    onOptionsChange({ ...changed, ...response.datasource, secureJsonData: {} });
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
