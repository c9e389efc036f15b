/** The browser, the pages and the checks that all journeys share. */
import type { AdHocVariableFilter } from '@grafana/data';
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'node:test';
import {
  type Browser,
  type BrowserContext,
  type Locator,
  type Page,
  chromium,
} from 'playwright-core';

import { selectors } from '../src/components/selectors';
import type { OuraOptions, OuraQuery, Status } from '../src/types';
import { findViolations } from './axe';
import { VARIABLES } from './variables';

const {
  CHROMIUM = '/usr/bin/chromium',
  HOST_PORT,
  SCREENSHOTS,
  GRAFANA_URL,
  CONSOLE,
} = process.env;

export const ID = process.env.OURA_CLIENT_ID ?? 'host-test';
export const SECRET = process.env.OURA_CLIENT_SECRET ?? 'simulated-secret';
/** Whether the journeys run in a real Grafana. */
export const inGrafana = Boolean(GRAFANA_URL);
export const origin = GRAFANA_URL?.replace(/\/$/, '') ?? `http://localhost:${HOST_PORT}`;

const PLUGIN = 'ringside-oura-datasource';
const DAY = 86_400_000;
/** Waits end with their condition. The limit is for a machine with other work. */
const TIMEOUT = 90_000;
const WIDE = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };
const VIEWS = (['dark', 'light'] as const).flatMap((theme) =>
  [WIDE, PHONE].map((size) => ({ theme, size }))
);

export type Role = 'Admin' | 'Viewer';

let launched: Promise<Browser> | undefined;

function launch(): Promise<Browser> {
  launched ??= chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    timeout: TIMEOUT,
  });
  return launched;
}

export const closeBrowser = async () => (await launched)?.close();

let count = 0;

interface Source {
  jsonData?: Partial<OuraOptions>;
  secret?: string;
  /** The beginning of the uid. The host page's data sources named `provisioned` are read-only. */
  prefix?: string;
}

/** Creates a data source. Returns its uid. */
export async function createSource({ jsonData, secret, prefix = 'test' }: Source = {}) {
  const uid = `${prefix}-${process.pid}-${count++}`;
  const settings = {
    uid,
    name: uid,
    type: PLUGIN,
    access: 'proxy',
    jsonData: { timezone: 'UTC', ...jsonData },
    secureJsonData: secret ? { clientSecret: secret } : {},
  };
  const response = inGrafana
    ? await send('POST', '/api/datasources', settings)
    : await send('PUT', `/api/datasources/uid/${uid}`, settings);
  assert.equal(response.status, 200);
  return uid;
}

/** Finds a read-only data source of Grafana with a client ID. */
export async function findProvisioned(): Promise<string | undefined> {
  const sources: Array<{ uid: string; readOnly: boolean; jsonData: Partial<OuraOptions> }> = await (
    await send('GET', '/api/datasources')
  ).json();
  return sources.find(({ readOnly, jsonData }) => readOnly && jsonData.clientId)?.uid;
}

/** Creates a data source that only lacks a login. */
export const createReady = () => createSource({ jsonData: { clientId: ID }, secret: SECRET });

export const send = (method: string, address: string, body?: unknown) =>
  fetch(origin + address, {
    method,
    headers: { 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });

/** Settings that make a first sync of demo data take seconds. */
export const SHORT_HISTORY = {
  historyStart: new Date(Date.now() - 40 * DAY).toISOString().slice(0, 10),
};

/** Creates a data source with demo data and waits until its history is complete. */
export async function createDemo() {
  const uid = await createSource({ jsonData: { demo: true, ...SHORT_HISTORY } });
  await waitForHistory(uid);
  return uid;
}

export async function waitForHistory(uid: string) {
  await poll(async () => {
    const response = await send('GET', `/api/datasources/uid/${uid}/resources/status`);
    // A busy machine can answer with an error.
    const { sync }: Partial<Status> = response.ok ? await response.json() : {};
    return sync !== undefined && sync.lastSync !== null && !sync.running;
  });
}

async function poll(isDone: () => Promise<boolean>) {
  for (const start = Date.now(); Date.now() - start < 2 * TIMEOUT;) {
    if (await isDone()) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the condition does not hold in time');
}

/** One context for each role: pages of a context share the compiled code of the host page. */
const contexts = new Map<Role, Promise<BrowserContext>>();

async function createContext(role: Role): Promise<BrowserContext> {
  const browser = await launch();
  const context = await browser.newContext({ reducedMotion: 'reduce', acceptDownloads: true });
  context.setDefaultTimeout(TIMEOUT);
  if (role !== 'Admin') {
    await context.addCookies([{ name: 'role', value: role, url: origin }]);
  }
  return context;
}

/** Opens a page. Fails the test with the page's uncaught errors when it is closed. */
export async function open(t: TestContext, role: Role = 'Admin'): Promise<Page> {
  const context = contexts.get(role) ?? createContext(role);
  contexts.set(role, context);
  const page = await (await context).newPage();
  await page.setViewportSize(WIDE);
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.stack ?? String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && CONSOLE) {
      console.log(message.text());
    }
  });
  t.after(async () => {
    await page.close();
    assert.deepEqual(errors, []);
  });
  return page;
}

export const configAddress = (uid: string) => `${origin}/connections/datasources/edit/${uid}`;

/** Editors: of Explore, and of a panel, an annotation and a variable of a dashboard. */
export type EditorKind = 'explore' | 'panel' | 'annotations' | 'variables';

export interface EditorOptions {
  query?: Partial<OuraQuery>;
  /** The filters of the dashboard's ad-hoc variable. */
  filters?: AdHocVariableFilter[];
}

/** Returns the address of an editor. In Grafana, it creates the editor's dashboard. */
export async function prepareEditor(
  uid: string,
  kind: EditorKind,
  { query = {}, filters }: EditorOptions = {}
): Promise<string> {
  const datasource = { type: PLUGIN, uid };
  const target = { refId: 'A', ...query, datasource };
  if (!inGrafana) {
    const texts = { query: JSON.stringify(target), filters: JSON.stringify(filters ?? []) };
    return `${origin}/${kind}?${new URLSearchParams({ uid, ...texts })}`;
  }
  if (kind === 'explore') {
    const range = { from: 'now-30d', to: 'now' };
    const panes = JSON.stringify({ a: { datasource: uid, queries: [target], range } });
    return `${origin}/explore?schemaVersion=1&orgId=1&panes=${encodeURIComponent(panes)}`;
  }
  const dashboard = createDashboard(`${kind}-${process.pid}-${count++}`, target, kind, filters);
  const response = await send('POST', '/api/dashboards/db', { dashboard });
  assert.equal(response.status, 200, await response.text());
  return `${origin}/d/${dashboard.uid}?orgId=1&${EDITORS[kind]}`;
}

/** The parameters of Grafana's addresses of editors. Annotation 0 is Grafana's own. */
const EDITORS = {
  panel: 'editPanel=1',
  annotations: 'editview=annotations&editIndex=1',
  variables: `editview=variables&editIndex=${VARIABLES.length}`,
};

/** Creates a dashboard with the variables of the host page, and one query. */
function createDashboard(
  uid: string,
  target: Partial<OuraQuery> & { datasource: object },
  kind: keyof typeof EDITORS,
  filters?: AdHocVariableFilter[]
) {
  const { datasource } = target;
  const variables: object[] = VARIABLES.map(({ name, multi = false, value }) => {
    const values = [value].flat();
    return {
      type: 'custom',
      name,
      multi,
      query: values.join(','),
      options: [],
      current: { text: value, value },
    };
  });
  if (kind === 'variables') {
    variables.push({ type: 'query', name: 'options', datasource, query: target, refresh: 1 });
  }
  if (filters) {
    variables.push({ type: 'adhoc', name: 'filters', datasource, filters });
  }
  const annotation = { name: 'Events', enable: true, iconColor: 'blue', datasource, target };
  const panel = {
    id: 1,
    type: target.format === 'table' ? 'table' : 'timeseries',
    title: uid,
    gridPos: { x: 0, y: 0, w: 24, h: 12 },
    datasource,
    targets: [target],
  };
  return {
    uid,
    title: uid,
    schemaVersion: 42,
    time: { from: 'now-30d', to: 'now' },
    templating: { list: variables },
    annotations: { list: kind === 'annotations' ? [annotation] : [] },
    panels: kind === 'panel' ? [panel] : [],
  };
}

/** Waits for rows from the editor's query, or for events from an annotation's. */
export async function waitForRows(page: Page) {
  if (!inGrafana) {
    await page.getByTestId('result').getByText('Rows:').waitFor();
    return;
  }
  const events = page.getByText(/^[1-9]\d* events \(from/);
  await page.locator('canvas, [role="table"], [role="grid"], table').or(events).first().waitFor();
  assert.equal(await page.getByText('No data').count(), 0);
}

/** Finds an option of the variable in its editor. Grafana shows only the texts. */
export function findOption(page: Page, text: string, value: string): Locator {
  return inGrafana
    ? page
        .getByTestId(/Preview of Values option/)
        .getByText(text, { exact: true })
        .first()
    : page.getByTestId('options').getByText(`${text}=${value}`);
}

/** Waits for the query that `action` sends to the backend. */
export async function waitForQuery(page: Page, action: () => Promise<unknown>): Promise<OuraQuery> {
  const [request] = await Promise.all([
    page.waitForRequest((request) => request.url().includes('/api/ds/query')),
    action(),
  ]);
  return request.postDataJSON().queries[0];
}

/** Selects an option of a list that opens from an input. A long list has it only after a search. */
export async function choose(page: Page, testId: string, option: string | RegExp, search = '') {
  await page.getByTestId(testId).click();
  await page.keyboard.type(search);
  await page.getByRole('option', { name: option }).first().click();
}

/** Waits for the state of the configuration page. */
export const waitForState = (page: Page, text: string) =>
  page.getByTestId(selectors.config.state).getByText(text).waitFor();

/**
 * Makes screenshots in both themes and at both widths, and runs axe in each. A page that waits for
 * a response never has an idle network.
 */
export async function look(page: Page, name: string, { isWaiting = false } = {}) {
  for (const { theme, size } of VIEWS) {
    await page.setViewportSize(size);
    await page.mouse.move(0, 0);
    await setTheme(page, theme);
    await page.waitForLoadState(isWaiting ? 'load' : 'networkidle');
    await waitForTransitions(page);
    if (SCREENSHOTS) {
      mkdirSync(SCREENSHOTS, { recursive: true });
      const file = `${name}-${theme}-${size.width}.png`;
      await page.screenshot({ path: path.join(SCREENSHOTS, file), fullPage: true });
    }
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(
      inGrafana || width <= size.width,
      `${name}: the page is ${width} pixels wide, not ${size.width}`
    );
    await checkAccessibility(page, `${name}, ${theme}, ${size.width}`);
  }
  await page.setViewportSize(WIDE);
}

/** Returns the theme of the page by its background. */
const findTheme = (page: Page) =>
  page.evaluate(() => {
    const [red] = getComputedStyle(document.body).backgroundColor.match(/\d+/) ?? ['0'];
    return Number(red) < 128 ? 'dark' : 'light';
  });

/** Changes the theme, in Grafana with its own keys, which toggle the theme. */
async function setTheme(page: Page, theme: string) {
  if (!inGrafana) {
    await page.evaluate(
      (detail) => window.dispatchEvent(new CustomEvent('theme', { detail })),
      theme
    );
    return;
  }
  // The keys work outside of input fields, and only one soon after the other.
  for (let tries = 0; (await findTheme(page)) !== theme; tries++) {
    assert.ok(tries < 10, `Grafana does not change to the theme ${theme}`);
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    await page.keyboard.press('c');
    await page.keyboard.press('r');
    await page.waitForTimeout(500);
  }
}

/** A colour in transition has another contrast. */
const waitForTransitions = (page: Page) =>
  page.waitForFunction(() =>
    document.getAnimations().every((each) => !(each instanceof CSSTransition))
  );

/** Runs axe: on the whole host page, and on the plugin's part of Grafana's pages. */
export async function checkAccessibility(page: Page, name: string) {
  await waitForTransitions(page);
  assert.deepEqual(await findViolations(page, inGrafana), [], name);
}

/** Lists the buttons with the colour of Grafana's *Save & test*, which is primary. */
export async function listPrimaryActions(page: Page): Promise<string[]> {
  return page.getByRole('button').evaluateAll((buttons) => {
    const color = (button: Element) => getComputedStyle(button).backgroundColor;
    const text = (button: Element) => button.textContent?.trim() ?? '';
    const save = buttons.find((button) => text(button) === 'Save & test');
    return buttons
      .filter((button) => save && button !== save && color(button) === color(save))
      .map(text);
  });
}

/** Presses a key until `target` has the focus. */
export async function pressUntilFocused(page: Page, key: string, target: Locator) {
  for (let presses = 0; presses < 60; presses++) {
    if (await target.evaluate((element) => element === document.activeElement)) {
      return;
    }
    await page.keyboard.press(key);
  }
  throw new Error(`${key} does not reach ${target}`);
}
