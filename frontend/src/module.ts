import { DataSourcePlugin } from '@grafana/data';

import { ConfigEditor } from './components/ConfigEditor';
import { QueryEditor } from './components/QueryEditor';
import { OuraDataSource } from './datasource';
import type { OuraOptions, OuraQuery, OuraSecrets } from './types';

export const plugin = new DataSourcePlugin<OuraDataSource, OuraQuery, OuraOptions, OuraSecrets>(
  OuraDataSource
)
  .setConfigEditor(ConfigEditor)
  .setQueryEditor(QueryEditor);
