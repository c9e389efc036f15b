/** The browser, the pages and the checks that all journeys share. */
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
    const { sync } = (await response.json()) as Status;
    return sync.lastSync !== null && !sync.running;
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

export type EditorKind = 'explore' | 'annotations' | 'variables';

/** The address of an editor: of a panel (`explore`), annotation or variable. */
export function editorAddress(
  uid: string,
  query: Partial<OuraQuery> = {},
  kind: EditorKind = 'explore',
  parameters: Record<string, string> = {}
): string {
  const datasource = { type: PLUGIN, uid };
  if (!inGrafana) {
    const text = JSON.stringify({ refId: 'A', ...query, datasource });
    return `${origin}/${kind}?${new URLSearchParams({ uid, query: text, ...parameters })}`;
  }
  const pane = {
    datasource: uid,
    queries: [{ refId: 'A', ...query, datasource }],
    range: { from: 'now-30d', to: 'now' },
  };
  const panes = encodeURIComponent(JSON.stringify({ a: pane }));
  return `${origin}/explore?schemaVersion=1&orgId=1&panes=${panes}`;
}

/** Waits for rows from the editor's query. */
export async function waitForRows(page: Page) {
  if (inGrafana) {
    await page.locator('canvas, [role="table"], table').first().waitFor();
    assert.equal(await page.getByText('No data').count(), 0);
  } else {
    await page.getByTestId('result').getByText('Rows:').waitFor();
  }
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

/** Makes screenshots in both themes and at both widths, and runs axe in each. */
export async function look(page: Page, name: string) {
  for (const { theme, size } of VIEWS) {
    await page.setViewportSize(size);
    await page.mouse.move(0, 0);
    await setTheme(page, theme);
    await page.waitForLoadState('networkidle');
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

/** Changes the theme. In Grafana, this loads the page again. */
async function setTheme(page: Page, theme: string) {
  if (!inGrafana) {
    await page.evaluate(
      (detail) => window.dispatchEvent(new CustomEvent('theme', { detail })),
      theme
    );
    return;
  }
  const shown = new URL(page.url());
  if ((shown.searchParams.get('theme') ?? 'dark') !== theme) {
    shown.searchParams.set('theme', theme);
    await page.goto(shown.href);
    await page.getByRole('heading').first().waitFor();
    if (shown.pathname.includes('/datasources/edit/')) {
      await page.getByTestId(selectors.config.state).waitFor();
    }
  }
}

/** A colour in transition has another contrast. */
const waitForTransitions = (page: Page) =>
  page.waitForFunction(() =>
    document.getAnimations().every((each) => !(each instanceof CSSTransition))
  );

export async function checkAccessibility(page: Page, name: string) {
  await waitForTransitions(page);
  if (inGrafana) {
    return; // The page has parts of Grafana, too.
  }
  assert.deepEqual(await findViolations(page), [], name);
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
