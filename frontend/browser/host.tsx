/**
 * A page that shows the built plugin as Grafana does: it loads `module.js` with SystemJS, shares
 * its own React and `@grafana/*` packages, and gives the plugin's components their properties.
 */
import 'systemjs/dist/system.js';
import 'systemjs/dist/extras/amd.js';

import * as emotionCss from '@emotion/css';
import * as grafanaData from '@grafana/data';
import * as grafanaRuntime from '@grafana/runtime';
import * as grafanaUi from '@grafana/ui';
import React, { type ComponentType, useEffect, useState } from 'react';
import * as react from 'react';
import * as jsxRuntime from 'react/jsx-runtime';
import * as reactDom from 'react-dom';
import { createRoot } from 'react-dom/client';
import * as rxjs from 'rxjs';

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

interface Loader {
  addImportMap: (map: { imports: Record<string, string> }) => void;
  set: (id: string, module: object) => void;
  import: (url: string) => Promise<{ plugin: grafanaData.DataSourcePlugin<any, any, any> }>;
}

const { config } = grafanaRuntime;
const parameters = new URLSearchParams(window.location.search);
const theme = grafanaData.createTheme({
  colors: { mode: parameters.get('theme') === 'light' ? 'light' : 'dark' },
});
config.theme2 = theme;
grafanaRuntime.setBackendSrv(backend);
grafanaRuntime.setDataSourceSrv(dataSources);
grafanaRuntime.setTemplateSrv(variables);

async function loadPlugin() {
  const loader = (window as unknown as { System: Loader }).System;
  const imports = Object.fromEntries(Object.keys(SHARED).map((id) => [id, `package:${id}`]));
  loader.addImportMap({ imports });
  for (const [id, module] of Object.entries(SHARED)) {
    loader.set(`package:${id}`, module);
  }
  const { plugin } = await loader.import(`/public/plugins/${PLUGIN}/module.js`);
  return plugin;
}

type Parts = grafanaData.DataSourcePlugin<any, any, any>;

/** The configuration page with *Save & test*. */
function ConfigPage({ plugin, settings }: { plugin: Parts; settings: any }) {
  const [options, setOptions] = useState(settings);
  const [tested, setTested] = useState<string>();
  const Editor = plugin.components.ConfigEditor as ComponentType<any>;

  const save = async () => {
    const { datasource } = await backend.put(`/api/datasources/uid/${options.uid}`, options);
    setOptions({ ...options, ...datasource, secureJsonData: {} });
    const health = await backend.get(`/api/datasources/uid/${options.uid}/health`);
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

/** An editor with its query, its data and a summary of the data. */
function QueryPage({ kind, plugin, settings }: { kind: string; plugin: Parts; settings: any }) {
  const [datasource] = useState(() => new plugin.DataSourceClass(settings));
  const [query, setQuery] = useState<any>(() =>
    JSON.parse(parameters.get('query') ?? '{"refId":"A"}')
  );
  const [data, setData] = useState<any>();
  const [runs, setRuns] = useState(0);
  const Editor: ComponentType<any> =
    kind === 'annotations'
      ? datasource.annotations.QueryEditor
      : kind === 'variables'
        ? datasource.variables.editor
        : plugin.components.QueryEditor;

  useEffect(() => {
    const range = {
      from: grafanaData.dateTime().subtract(30, 'day'),
      to: grafanaData.dateTime(),
      raw: { from: 'now-30d', to: 'now' },
    };
    const request = {
      requestId: `${runs}`,
      range,
      intervalMs: 60_000,
      maxDataPoints: 1000,
      scopedVars: {},
      targets: [query],
    };
    const source = kind === 'variables' ? datasource.variables : datasource;
    const subscription = source.query(request).subscribe({
      next: (response: any) =>
        setData({
          state: 'Done',
          series: response.data ?? [],
          errors: response.errors,
          error: response.error,
          timeRange: range,
        }),
      error: (error: any) => setData({ state: 'Error', series: [], error }),
    });
    return () => subscription.unsubscribe();
    // Runs like Grafana: when the editor asks for it.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [runs]);

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
      <pre data-testid="query">{JSON.stringify(query)}</pre>
    </>
  );
}

function summarize({ series, error, errors }: any): string {
  const failure = error ?? errors?.[0];
  if (failure) {
    return `Error: ${failure.message ?? failure.data?.message}`;
  }
  const rows = series.reduce((sum: number, frame: any) => sum + frame.length, 0);
  return rows === 0 ? 'No data' : `Rows: ${rows}`;
}

function Page({ plugin, settings }: { plugin: Parts; settings: any }) {
  const [, kind] = window.location.pathname.match(/^\/(\w+)/) ?? [];
  const styles = grafanaUi.useStyles2((theme) =>
    emotionCss.css({ padding: theme.spacing(2), maxWidth: 1200 })
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

async function show() {
  document.body.style.background = theme.colors.background.primary;
  const uid = parameters.get('uid') ?? window.location.pathname.split('/').at(-1);
  const [plugin, settings] = await Promise.all([
    loadPlugin(),
    backend.get(`/api/datasources/uid/${uid}`),
  ]);
  createRoot(document.getElementById('root')!).render(
    <grafanaData.ThemeContext.Provider value={theme}>
      <grafanaUi.GlobalStyles />
      <Page plugin={plugin} settings={settings} />
      <grafanaUi.PortalContainer />
    </grafanaData.ThemeContext.Provider>
  );
}

show();
