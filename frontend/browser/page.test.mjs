/** Journeys on the configuration page. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import {
  ID,
  SECRET,
  SHORT_HISTORY,
  browser,
  checkAccessibility,
  configAddress,
  createSource,
  inGrafana,
  look,
  open,
  origin,
  waitForHistory,
} from './world.mjs';

after(() => browser.close());

const state = (page, text) => page.getByTestId('oura-state').getByText(text).waitFor();

async function enterCredentials(page) {
  await page.getByTestId('oura-client-id').fill(ID);
  await page.getByTestId('oura-client-secret').fill(SECRET);
}

/** Opens the page of a data source with credentials, and Oura's consent page from there. */
async function openConsent(t, options) {
  const uid = await createSource({ jsonData: { clientId: ID }, secret: SECRET });
  const page = await open(t, options);
  await page.goto(configAddress(uid));
  await page.getByTestId('oura-connect').click();
  await page.getByRole('button', { name: 'Allow' }).waitFor();
  return { uid, page };
}

async function connect(t) {
  const { uid, page } = await openConsent(t);
  await page.getByRole('button', { name: 'Allow' }).click();
  await state(page, 'Connected');
  return { uid, page };
}

test('connects through the consent page of Oura', async (t) => {
  const uid = await createSource();
  const page = await open(t);
  await page.goto(configAddress(uid));
  await page.getByTestId('oura-connect').waitFor();
  await look(page, 'not-set-up');
  await enterCredentials(page);
  await state(page, 'Ready to connect');
  await page.getByTestId('oura-connect').click();
  await page.getByRole('button', { name: 'Allow' }).click();
  await state(page, 'Connected');
  assert.equal(new URL(page.url()).searchParams.has('code'), false);
  await waitForHistory(uid);
  await page
    .getByTestId('oura-summary')
    .getByText(/^\d+ of \d+ collections up to date/)
    .waitFor();
  await look(page, 'connected');
  await page.getByText('Collections', { exact: true }).click();
  await page.getByTestId('oura-collections').waitFor();
  await page.getByText('Sync settings').click();
  await page.getByLabel('Sync interval').waitFor();
  await checkAccessibility(page, 'unfolded');
});

test('shows the steps to a user with credentials', async (t) => {
  const uid = await createSource({ jsonData: { clientId: ID }, secret: SECRET });
  const page = await open(t);
  await page.goto(configAddress(uid));
  await state(page, 'Ready to connect');
  await look(page, 'ready');
});

test('shows a refused consent', async (t) => {
  const { page } = await openConsent(t);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByText('The consent at Oura was cancelled').waitFor();
  await look(page, 'refused');
});

test('rejects a login with an unknown state', async (t) => {
  const uid = await createSource({ jsonData: { clientId: ID }, secret: SECRET });
  const page = await open(t);
  await page.goto(`${configAddress(uid)}?code=stale&state=stale`);
  await page.getByRole('alert').first().waitFor();
  await state(page, 'Ready to connect');
  assert.equal(new URL(page.url()).searchParams.has('code'), false);
});

test('rejects a login that another data source started', async (t) => {
  const other = await createSource({ jsonData: { clientId: ID }, secret: SECRET });
  const { page, uid } = await openConsent(t);
  await page.route('**/edit/**', (route) => route.abort());
  const [redirect] = await Promise.all([
    page.waitForRequest((request) => request.url().includes('code=')),
    page.getByRole('button', { name: 'Allow' }).click(),
  ]);
  await page.unroute('**/edit/**');
  await page.goto(redirect.url().replace(uid, other));
  await page.getByRole('alert').first().waitFor();
  await state(page, 'Ready to connect');
});

test('finishes a login with a pasted redirect URL', { skip: inGrafana }, async (t) => {
  const uid = await createSource({ jsonData: { clientId: ID }, secret: SECRET });
  const page = await open(t);
  const insecure = new URL(configAddress(uid));
  insecure.hostname = '127.0.0.1';
  await page.goto(insecure.href);
  await page.getByTestId('oura-connect').click();
  await page.getByTestId('oura-redirect-url').waitFor();
  await look(page, 'paste');
  // The screenshots reload the page.
  await page.getByTestId('oura-connect').click();
  const [login] = await Promise.all([
    page.context().waitForEvent('page'),
    page.getByRole('link', { name: 'Open Oura’s login page' }).click(),
  ]);
  await login.route('**/connections/**', (route) => route.abort());
  const [redirect] = await Promise.all([
    login.waitForRequest((request) => request.url().includes('code=')),
    login.getByRole('button', { name: 'Allow' }).click(),
  ]);
  await page.getByTestId('oura-redirect-url').fill(redirect.url());
  await page.getByTestId('oura-finish').click();
  await state(page, 'Connected');
});

test('disconnects after a question, and connects again', async (t) => {
  const { uid, page } = await connect(t);
  await waitForHistory(uid);
  await page.getByTestId('oura-disconnect').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Disconnect' }).click();
  await state(page, 'Ready to connect');
  await page.getByText('Stored data can still be queried').waitFor();
  await look(page, 'disconnected');
  await page.getByTestId('oura-connect').click();
  await page.getByRole('button', { name: 'Allow' }).click();
  await state(page, 'Connected');
});

test('turns demo data on, and opens the dashboards', async (t) => {
  const uid = await createSource({ jsonData: SHORT_HISTORY });
  const page = await open(t);
  await page.goto(configAddress(uid));
  await page.getByTestId('oura-demo').click();
  await state(page, 'Demo data');
  await waitForHistory(uid);
  await page
    .getByTestId('oura-summary')
    .getByText(/collections up to date/)
    .waitFor();
  await look(page, 'demo');
  await page.getByTestId('oura-dashboards').click();
  await page.waitForURL(/\/d\/oura-today/);
  const listed = await fetch(`${origin}/api/plugins/ringside-oura-datasource/dashboards`);
  for (const { title, imported } of await listed.json()) {
    assert.ok(imported, `${title} is not imported`);
  }
});

test('is readable when provisioned', { skip: inGrafana }, async (t) => {
  const uid = await createSource({ jsonData: { clientId: ID }, prefix: 'provisioned' });
  const page = await open(t);
  await page.goto(configAddress(uid));
  await page.getByTestId('oura-client-id').waitFor();
  assert.ok(await page.getByTestId('oura-client-id').isDisabled());
  await look(page, 'provisioned');
});

test('tells a Viewer that an administrator can connect', { skip: inGrafana }, async (t) => {
  const uid = await createSource({ jsonData: { clientId: ID }, secret: SECRET });
  const page = await open(t, { role: 'Viewer' });
  await page.goto(configAddress(uid));
  await page.getByTestId('oura-connect').click();
  await page.getByRole('alert').getByText(/admin/i).first().waitFor();
  await checkAccessibility(page, 'Viewer');
});

test('is usable by keyboard', async (t) => {
  const uid = await createSource();
  const page = await open(t);
  await page.goto(configAddress(uid));
  await page.getByTestId('oura-client-id').focus();
  await page.keyboard.type(ID);
  await page.keyboard.press('Tab');
  await page.keyboard.type(SECRET);
  await state(page, 'Ready to connect');
  await page.getByTestId('oura-connect').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Allow' }).waitFor();
});

const STATUS = {
  state: 'connected',
  reason: null,
  damage: null,
  scopes: [],
  sync: {
    running: false,
    percent: 100,
    run: 1,
    documents: 10,
    secondsLeft: null,
    lastSync: '2026-01-01T00:00:00Z',
    nextSync: null,
    failure: null,
  },
  specification: '1.43',
  specificationCheckedAt: null,
  collections: ['sleep', 'daily_spo2', 'workout'].map((name) => ({
    name,
    documents: 700_000,
    firstDay: '2023-11-26',
    lastDay: '2026-01-01',
    lastSync: '2026-01-01T00:00:00Z',
    state: 'ok',
    reason: null,
    summary: 'the last 30 days are complete',
  })),
};

/** Opens a page with a status that a real backend seldom has. */
async function openStatus(t, status) {
  const uid = await createSource({ jsonData: { clientId: ID }, secret: SECRET });
  const page = await open(t);
  await page.route('**/resources/status', (route) => route.fulfill({ json: status }));
  await page.goto(configAddress(uid));
  await page.getByTestId('oura-state').waitFor();
  return page;
}

const long = 'A very long text without an end. '.repeat(32).slice(0, 1000);
const rightToLeft = 'النوم '.repeat(150);

const CASES = {
  importing: {
    ...STATUS,
    sync: { ...STATUS.sync, running: true, percent: 41.7, documents: 581_230, secondsLeft: 250 },
    collections: STATUS.collections.map((each) => ({ ...each, state: 'waiting' })),
  },
  reconnect: { ...STATUS, state: 'reconnect_needed', reason: 'Oura rejected the stored login' },
  'scopes-missing': {
    ...STATUS,
    scopes: ['daily', 'heartrate'],
    collections: STATUS.collections.map((each) => ({
      ...each,
      state: 'scope_missing',
      reason: 'Oura did not grant spo2.',
    })),
  },
  'membership-ended': {
    ...STATUS,
    collections: STATUS.collections.map((each) => ({
      ...each,
      state: 'membership_ended',
      reason: 'Oura membership inactive. Syncing resumes once it is renewed.',
    })),
  },
  failing: { ...STATUS, sync: { ...STATUS.sync, failure: 'the disk is nearly full' } },
  damaged: { ...STATUS, damage: 'SQLite reported damaged pages' },
  long: {
    ...STATUS,
    reason: long,
    sync: { ...STATUS.sync, failure: long.toUpperCase() },
    collections: [{ ...STATUS.collections[0], state: 'error', reason: long, name: 'x'.repeat(99) }],
  },
  'right-to-left': { ...STATUS, state: 'reconnect_needed', reason: rightToLeft },
  'no-collections': { ...STATUS, collections: [] },
};

/** The page's own buttons: Grafana's *Save & test* is another. */
async function assertOnePrimaryAction(page) {
  const buttons = await page.getByRole('button').all();
  const colors = new Map();
  for (const button of buttons) {
    const color = await button.evaluate((each) => getComputedStyle(each).backgroundColor);
    colors.set(color, [...(colors.get(color) ?? []), await button.innerText()]);
  }
  const primary = [...colors.values()].find((names) => names.includes('Save & test'));
  assert.equal(primary.length, 2, `primary actions: ${primary.join(', ')}`);
}

for (const [name, status] of Object.entries(CASES)) {
  test(`shows the status ${name}`, async (t) => {
    const page = await openStatus(t, status);
    await look(page, name);
    if (!inGrafana) {
      await assertOnePrimaryAction(page);
    }
  });
}

for (const [name, answer] of Object.entries({
  'an error 500': { status: 500, body: '{"message":"internal error"}' },
  'half a body': { status: 200, contentType: 'application/json', body: '{"state":"conn' },
  'an older schema': { json: { state: 'connected', sync: { running: false } } },
  'a newer schema': { json: { ...STATUS, state: 'levitating', news: { a: 1 } } },
  'a list': { json: [] },
})) {
  test(`stays usable when the status is ${name}`, async (t) => {
    const uid = await createSource({ jsonData: { clientId: ID }, secret: SECRET });
    const page = await open(t);
    await page.route('**/resources/status', (route) => route.fulfill(answer));
    await page.goto(configAddress(uid));
    await page.getByText('Sync settings').click();
    await page.getByLabel('Sync interval').waitFor();
  });
}

test('stays usable while the status is slow', async (t) => {
  const uid = await createSource();
  const page = await open(t);
  await page.route('**/resources/status', () => {});
  await page.goto(configAddress(uid));
  await enterCredentials(page);
  await page.getByText('Save and connect').waitFor();
});
