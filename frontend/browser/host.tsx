/**
 * A page that shows the built plugin as Grafana does: it loads `module.js` with SystemJS, shares
 * its own React and `@grafana/*` packages, and gives the plugin's components their properties.
 */
import 'systemjs/dist/system.js';
import 'systemjs/dist/extras/amd.js';

import * as emotionCss from '@emotion/css';
import * as grafanaData from '@grafana/data';
import type {
  AdHocVariableFilter,
  DataQueryError,
  DataQueryRequest,
  DataQueryResponse,
  DataSourceInstanceSettings,
  DataSourcePlugin,
  DataSourceSettings,
  PanelData,
} from '@grafana/data';
import * as grafanaRuntime from '@grafana/runtime';
import * as grafanaUi from '@grafana/ui';
import React, { type ComponentType, useEffect, useState } from 'react';
import * as react from 'react';
import * as jsxRuntime from 'react/jsx-runtime';
import * as reactDom from 'react-dom';
import { createRoot } from 'react-dom/client';
import * as rxjs from 'rxjs';

import type { OuraDataSource } from '../src/datasource';
import type { OuraOptions, OuraQuery, OuraSecrets } from '../src/types';
import { backend, dataSources, variables } from './services';

const PLUGIN = 'ringside-oura-datasource';
const SHARED = {
  react,
  'react/jsx-runtime': jsxRuntime,
  'react-dom': reactDom,
  rxjs,
  '@emotion/css': emotionCss,
  '@grafana/data': grafanaData,
  '@grafana/runtime': grafanaRuntime,
  '@grafana/ui': grafanaUi,
};

type Plugin = DataSourcePlugin<OuraDataSource, OuraQuery, OuraOptions, OuraSecrets>;
type Settings = DataSourceSettings<OuraOptions, OuraSecrets>;

interface Loader {
  addImportMap: (map: { imports: Record<string, string> }) => void;
  set: (id: string, module: object) => void;
  import: (url: string) => Promise<{ plugin: Plugin }>;
}

const { config } = grafanaRuntime;
const parameters = new URLSearchParams(window.location.search);
const ROOT = config.appSubUrl;

grafanaRuntime.setBackendSrv(backend);
grafanaRuntime.setDataSourceSrv(dataSources);
grafanaRuntime.setTemplateSrv(variables);

async function loadPlugin(): Promise<Plugin> {
  const loader = (window as unknown as { System: Loader }).System;
  const imports = Object.fromEntries(Object.keys(SHARED).map((id) => [id, `package:${id}`]));
  loader.addImportMap({ imports });
  for (const [id, module] of Object.entries(SHARED)) {
    loader.set(`package:${id}`, module);
  }
  const { plugin } = await loader.import(`${ROOT}/public/plugins/${PLUGIN}/module.js`);
  return plugin;
}

interface Props {
  plugin: Plugin;
  settings: Settings;
}

/** The configuration page with *Save & test*. */
function ConfigPage({ plugin, settings }: Props) {
  const [options, setOptions] = useState(settings);
  const [tested, setTested] = useState<string>();
  const Editor = plugin.components.ConfigEditor!;

  const save = async () => {
    const address = `/api/datasources/uid/${options.uid}`;
    const { datasource } = await backend.put<{ datasource: Settings }>(address, options);
    setOptions({ ...options, ...datasource, secureJsonData: {} });
    const health = await backend.get<{ status: string; message: string }>(`${address}/health`);
    setTested(`${health.status}: ${health.message}`);
  };
  return (
    <form onSubmit={(event) => event.preventDefault()}>
      <Editor options={options} onOptionsChange={setOptions} />
      {!options.readOnly && (
        <p>
          <grafanaUi.Button onClick={save}>Save &amp; test</grafanaUi.Button>
        </p>
      )}
      {tested && <p data-testid="health">{tested}</p>}
    </form>
  );
}

/** The properties that the editors of queries, annotations and variables share. */
interface EditorProps {
  datasource: OuraDataSource;
  query: OuraQuery;
  data?: PanelData;
  onChange: (query: OuraQuery) => void;
  onRunQuery: () => void;
}

/** Creates the data source, and finds its editor of this kind. */
function createEditor(kind: string, { plugin, settings }: Props) {
  const datasource = new plugin.DataSourceClass(
    settings as unknown as DataSourceInstanceSettings<OuraOptions>
  );
  const editors: Record<string, unknown> = {
    annotations: datasource.annotations.QueryEditor,
    variables: datasource.variables.editor,
    explore: plugin.components.QueryEditor,
    panel: plugin.components.QueryEditor,
  };
  return { datasource, Editor: editors[kind] as ComponentType<EditorProps> };
}

/** The requests of this page: the last 30 days, with the ad-hoc filters of the page's address. */
function createRequest(query: OuraQuery, number: number): DataQueryRequest<OuraQuery> {
  const filters: AdHocVariableFilter[] = JSON.parse(parameters.get('filters') ?? '[]');
  return {
    app: 'host',
    requestId: `${number}`,
    startTime: Date.now(),
    range: {
      from: grafanaData.dateTime().subtract(30, 'day'),
      to: grafanaData.dateTime(),
      raw: { from: 'now-30d', to: 'now' },
    },
    timezone: 'utc',
    interval: '1m',
    intervalMs: 60_000,
    maxDataPoints: 1000,
    scopedVars: {},
    targets: [query],
    filters,
  };
}

/** An editor with its query, its data and a summary of the data. */
function QueryPage({ kind, ...props }: Props & { kind: string }) {
  const [{ datasource, Editor }] = useState(() => createEditor(kind, props));
  const [query, setQuery] = useState<OuraQuery>(() =>
    JSON.parse(parameters.get('query') ?? '{"refId":"A"}')
  );
  const [data, setData] = useState<PanelData>();
  const [runs, setRuns] = useState(0);

  useEffect(() => {
    const request = createRequest(query, runs);
    const source = kind === 'variables' ? datasource.variables : datasource;
    const show = (part: Partial<PanelData>) =>
      setData({
        state: grafanaData.LoadingState.Done,
        series: [],
        timeRange: request.range,
        ...part,
      });
    const subscription = source.query(request).subscribe({
      next: ({ data, errors, error }: DataQueryResponse) =>
        show({ series: data ?? [], errors, error }),
      error: (error: DataQueryError) => show({ error }),
    });
    return () => subscription.unsubscribe();
    // Runs like Grafana: when the editor asks for it, and after each change of an annotation.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [runs, kind === 'annotations' && query]);

  return (
    <>
      <Editor
        datasource={datasource}
        query={query}
        data={data}
        onChange={setQuery}
        onRunQuery={() => setTimeout(() => setRuns((count) => count + 1))}
      />
      <p data-testid="result">{data ? summarize(data) : 'Loading'}</p>
      {kind === 'variables' && <p data-testid="options">{listOptions(data)}</p>}
      <pre data-testid="query" tabIndex={0}>
        {JSON.stringify(query)}
      </pre>
    </>
  );
}

function summarize({ series, error, errors }: PanelData): string {
  const failure = error ?? errors?.[0];
  if (failure) {
    return `Error: ${failure.message ?? failure.data?.message}`;
  }
  const rows = series.reduce((sum, frame) => sum + frame.length, 0);
  return rows === 0 ? 'No data' : `Rows: ${rows}`;
}

/** Lists a variable's options as Grafana reads them: from the text fields `text` and `value`. */
function listOptions(data?: PanelData): string {
  const fields = data?.series[0]?.fields ?? [];
  const find = (wanted: string) =>
    fields.find(({ name, type }) => name === wanted && type === grafanaData.FieldType.string);
  const [text, value] = [find('text'), find('value')];
  return (value?.values ?? []).map((each, row) => `${text?.values[row]}=${each}`).join(' ');
}

function Page({ plugin, settings }: Props) {
  const path = window.location.pathname.slice(ROOT.length);
  const [, kind] = path.match(/^\/(\w+)/) ?? [];
  const styles = grafanaUi.useStyles2((theme) =>
    emotionCss.css({ padding: theme.spacing(2), maxWidth: 1200, pre: { whiteSpace: 'pre-wrap' } })
  );
  return (
    <main className={styles}>
      <h1>{settings.name}</h1>
      {kind === 'connections' ? (
        <ConfigPage plugin={plugin} settings={settings} />
      ) : (
        <QueryPage kind={kind} plugin={plugin} settings={settings} />
      )}
    </main>
  );
}

type Mode = 'dark' | 'light';

function createTheme(mode: Mode) {
  const theme = grafanaData.createTheme({ colors: { mode } });
  config.theme2 = theme;
  document.body.style.background = theme.colors.background.primary;
  return theme;
}

/** The page in a theme, which a test changes with the event `theme`. */
function ThemedPage(props: Props) {
  const [theme, setTheme] = useState(() => createTheme('dark'));
  useEffect(() => {
    const change = (event: Event) => setTheme(createTheme((event as CustomEvent<Mode>).detail));
    window.addEventListener('theme', change);
    return () => window.removeEventListener('theme', change);
  }, []);
  return (
    <grafanaData.ThemeContext.Provider value={theme}>
      <grafanaUi.GlobalStyles />
      <Page {...props} />
      <grafanaUi.PortalContainer />
    </grafanaData.ThemeContext.Provider>
  );
}

async function show() {
  const uid = parameters.get('uid') ?? window.location.pathname.split('/').at(-1);
  const [plugin, settings] = await Promise.all([
    loadPlugin(),
    backend.get<Settings>(`/api/datasources/uid/${uid}`),
  ]);
  createRoot(document.getElementById('root')!).render(
    <ThemedPage plugin={plugin} settings={settings} />
  );
}

show();
