/** The browser, the pages and the checks that all journeys share. */
import { findViolations } from './axe.mjs';
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';

const { CHROMIUM = '/usr/bin/chromium', HOST_PORT, SCREENSHOTS, GRAFANA_URL } = process.env;

export const ID = process.env.OURA_CLIENT_ID ?? 'host-test';
export const SECRET = process.env.OURA_CLIENT_SECRET ?? 'simulated-secret';
/** Whether the journeys run in a real Grafana. */
export const inGrafana = Boolean(GRAFANA_URL);
export const origin = GRAFANA_URL ?? `http://localhost:${HOST_PORT}`;

const PLUGIN = 'ringside-oura-datasource';
const WIDE = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

export const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu'],
});

let count = 0;

/** Creates a data source. Returns its uid. */
export async function createSource({ jsonData = {}, secret, prefix = 'test' } = {}) {
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

const send = (method, address, body) =>
  fetch(origin + address, {
    method,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });

const DAY = 86_400_000;

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

export async function waitForHistory(uid) {
  await poll(async () => {
    const response = await fetch(`${origin}/api/datasources/uid/${uid}/resources/status`);
    const { sync } = await response.json();
    return sync.lastSync !== null && !sync.running;
  });
}

async function poll(isDone) {
  for (let tries = 0; tries < 600; tries++) {
    if (await isDone()) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the condition does not hold within a minute');
}

/** Opens a browser window. Fails the test with the page's uncaught errors when it is closed. */
export async function open(t, { role, viewport = WIDE } = {}) {
  const context = await browser.newContext({ viewport, reducedMotion: 'reduce' });
  if (role) {
    await context.addCookies([{ name: 'role', value: role, url: origin }]);
  }
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.stack ?? String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && process.env.CONSOLE) {
      console.log(message.text());
    }
  });
  page.setDefaultTimeout(20_000);
  t.after(async () => {
    await context.close();
    assert.deepEqual(errors, []);
  });
  return page;
}

export const configAddress = (uid) => `${origin}/connections/datasources/edit/${uid}`;

/** The address of an editor: of a panel (`explore`), annotation or variable. */
export function editorAddress(uid, query = { refId: 'A' }, kind = 'explore') {
  const datasource = { type: PLUGIN, uid };
  if (!inGrafana) {
    const text = JSON.stringify({ ...query, datasource });
    return `${origin}/${kind}?uid=${uid}&query=${encodeURIComponent(text)}`;
  }
  const pane = {
    datasource: uid,
    queries: [{ ...query, datasource }],
    range: { from: 'now-30d', to: 'now' },
  };
  const panes = encodeURIComponent(JSON.stringify({ a: pane }));
  return `${origin}/explore?schemaVersion=1&orgId=1&panes=${panes}`;
}

/** Waits for rows, or an error, from the editor's query. */
export async function waitForRows(page) {
  if (inGrafana) {
    await page.locator('canvas, [role="table"], table').first().waitFor();
    assert.equal(await page.getByText('No data').count(), 0);
  } else {
    await page.getByTestId('result').getByText('Rows:').waitFor();
  }
}

/** Makes screenshots in both themes and at phone width, and runs axe in each. */
export async function look(page, name) {
  const original = page.viewportSize();
  for (const [theme, size] of [
    ['dark', WIDE],
    ['light', WIDE],
    ['dark', PHONE],
  ]) {
    await page.setViewportSize(size);
    await page.bringToFront();
    await page.mouse.move(0, 0);
    const shown = new URL(page.url());
    if (
      shown.searchParams.get('theme') !== theme &&
      !(theme === 'dark' && !shown.searchParams.has('theme'))
    ) {
      shown.searchParams.set('theme', theme);
      await page.goto(shown.href);
      await page.getByRole('heading').first().waitFor();
      if (shown.pathname.includes('/datasources/edit/')) {
        await page.getByTestId('oura-state').waitFor();
      }
      await page.waitForLoadState('networkidle');
    }
    await page.waitForLoadState('networkidle');
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
  await page.setViewportSize(original);
}

export async function checkAccessibility(page, name) {
  // A colour in transition has another contrast.
  await page.waitForFunction(() =>
    document.getAnimations().every((each) => !(each instanceof CSSTransition))
  );
  if (inGrafana) {
    return; // The page has parts of Grafana, too.
  }
  const found = await findViolations(page);
  assert.deepEqual(found, [], name);
}
