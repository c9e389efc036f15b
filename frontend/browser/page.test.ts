/** Journeys on the configuration page. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, after, test } from 'node:test';
import type { Page } from 'playwright-core';

import { selectors } from '../src/components/selectors';
import {
  ID,
  SECRET,
  SHORT_HISTORY,
  checkAccessibility,
  closeBrowser,
  configAddress,
  createReady,
  createSource,
  findProvisioned,
  inGrafana,
  listPrimaryActions,
  look,
  open,
  origin,
  pressUntilFocused,
  send,
  waitForHistory,
  waitForState,
} from './world';

const { config } = selectors;

after(closeBrowser);

async function enterCredentials(page: Page) {
  await page.getByTestId(config.clientId).fill(ID);
  await page.getByTestId(config.clientSecret).fill(SECRET);
}

/** Opens the page of a data source with credentials, and Oura's consent page from there. */
async function openConsent(t: TestContext) {
  const uid = await createReady();
  const page = await open(t);
  await page.goto(configAddress(uid));
  await page.getByTestId(config.connect).click();
  await page.getByRole('button', { name: 'Allow' }).waitFor();
  return { uid, page };
}

async function connect(t: TestContext) {
  const { uid, page } = await openConsent(t);
  await page.getByRole('button', { name: 'Allow' }).click();
  await waitForHistory(uid);
  await waitForState(page, 'Connected');
  return { uid, page };
}

/** Checks that the numbers of documents, which have different lengths, end at one edge. */
async function checkNumbers(page: Page) {
  const numbers = page.getByTestId(config.collections).locator('tbody td:nth-child(2) span');
  const edges = await numbers.evaluateAll((spans) =>
    spans.map((span) => {
      const text = document.createRange();
      text.selectNodeContents(span.firstChild ?? span);
      const { left, right } = text.getBoundingClientRect();
      return { left: Math.round(left), right: Math.round(right) };
    })
  );
  assert.ok(new Set(edges.map(({ left }) => left)).size > 1);
  assert.equal(new Set(edges.map(({ right }) => right)).size, 1);
}

/** Allows access at the consent page. Returns the address to which Oura redirects. */
async function catchRedirect(page: Page): Promise<string> {
  await page.route('**/connections/**', (route) => route.abort());
  const [redirect] = await Promise.all([
    page.waitForRequest((request) => request.url().includes('code=')),
    page.getByRole('button', { name: 'Allow' }).click(),
  ]);
  await page.unroute('**/connections/**');
  return redirect.url();
}

const hasCode = (page: Page) => new URL(page.url()).searchParams.has('code');

test('connects through the consent page of Oura', async (t) => {
  const uid = await createSource();
  const page = await open(t);
  await page.goto(configAddress(uid));
  await page.getByTestId(config.connect).waitFor();
  await look(page, 'not-set-up');
  // The primary action waits for the credentials.
  assert.equal(await page.getByTestId(config.connect).getAttribute('aria-disabled'), 'true');
  assert.deepEqual(await listPrimaryActions(page), []);
  await enterCredentials(page);
  await waitForState(page, 'Ready to connect');
  assert.deepEqual(await listPrimaryActions(page), ['Save and connect']);
  await page.getByTestId(config.connect).click();
  await page.getByRole('button', { name: 'Allow' }).click();
  await waitForHistory(uid);
  await waitForState(page, 'Connected');
  assert.equal(hasCode(page), false);
  const summary = page.getByTestId(config.summary);
  await summary.getByText(/^\d+ of \d+ collections up to date/).waitFor();
  await look(page, 'connected');
  await page.getByText('Collections', { exact: true }).click();
  await page.getByTestId(config.collections).waitFor();
  await checkNumbers(page);
  await page.getByText('Sync settings').click();
  await page.getByLabel('Sync interval').waitFor();
  await page.getByText('Stored data', { exact: true }).click();
  await page.getByTestId(config.deleteData).waitFor();
  await look(page, 'unfolded');
});

test('shows the steps to a user with credentials', async (t) => {
  const page = await open(t);
  await page.goto(configAddress(await createReady()));
  await waitForState(page, 'Ready to connect');
  await look(page, 'ready');
  assert.deepEqual(await listPrimaryActions(page), ['Connect']);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.getByRole('button', { name: 'Copy' }).first().click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied, page.url());
});

test('shows a login that is not finished yet', async (t) => {
  const { page } = await openConsent(t);
  await page.route('**/resources/oauth/callback', () => {});
  await page.getByRole('button', { name: 'Allow' }).click();
  await waitForState(page, 'Connecting…');
  await look(page, 'connecting', { isWaiting: true });
  assert.deepEqual(await listPrimaryActions(page), []);
});

test('shows a refused consent', async (t) => {
  const { page } = await openConsent(t);
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByText('The consent at Oura was cancelled').waitFor();
  await look(page, 'refused');
});

test('rejects a login with an unknown state', async (t) => {
  const page = await open(t);
  await page.goto(`${configAddress(await createReady())}?code=stale&state=stale`);
  await page.getByRole('alert').first().waitFor();
  await waitForState(page, 'Ready to connect');
  assert.equal(hasCode(page), false);
});

test('rejects a login that another data source started', async (t) => {
  const other = await createReady();
  const { page, uid } = await openConsent(t);
  const redirect = await catchRedirect(page);
  await page.goto(redirect.replace(uid, other));
  await page.getByRole('alert').first().waitFor();
  await waitForState(page, 'Ready to connect');
});

test('finishes a login with a pasted redirect URL', async (t) => {
  const uid = await createReady();
  const page = await open(t);
  const insecure = new URL(configAddress(uid));
  insecure.hostname = '127.0.0.1';
  await page.goto(insecure.href);
  await page.getByTestId(config.connect).click();
  await page.getByTestId(config.redirectUrl).waitFor();
  await look(page, 'paste');
  const [login] = await Promise.all([
    page.context().waitForEvent('page'),
    page.getByRole('link', { name: 'Open Oura’s login page' }).click(),
  ]);
  const redirect = await catchRedirect(login);
  await login.close();
  await page.getByTestId(config.redirectUrl).fill(redirect);
  await page.getByTestId(config.finish).click();
  await waitForHistory(uid);
  await waitForState(page, 'Connected');
});

test('disconnects after a question, and connects again', async (t) => {
  const { page } = await connect(t);
  await page.getByTestId(config.disconnect).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Disconnect' }).click();
  await waitForState(page, 'Ready to connect');
  await page.getByText('Stored data can still be queried').waitFor();
  await look(page, 'disconnected');
  await page.getByTestId(config.connect).click();
  await page.getByRole('button', { name: 'Allow' }).click();
  await waitForState(page, 'Connected');
});

test('downloads the stored data, and deletes it after a typed word', async (t) => {
  const { page } = await connect(t);
  await page.getByText('Stored data', { exact: true }).click();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByTestId(config.export).click(),
  ]);
  assert.match(download.suggestedFilename(), /^oura-.*\.db$/);
  assert.match(readFileSync(await download.path(), 'latin1'), /^SQLite format 3/);
  await page.getByTestId(config.deleteData).click();
  const dialog = page.getByRole('dialog');
  const confirm = dialog.getByRole('button', { name: 'Delete stored data' });
  assert.ok(await confirm.isDisabled());
  await look(page, 'delete');
  await dialog.getByRole('textbox').fill('Delete');
  await confirm.click();
  await waitForState(page, 'Ready to connect');
  await page.getByText('Connect your Oura account in three steps').waitFor();
});

test('turns demo data on, and opens the dashboards', async (t) => {
  const uid = await createSource({ jsonData: SHORT_HISTORY });
  const page = await open(t);
  await page.goto(configAddress(uid));
  await page.getByTestId(config.demo).click();
  await waitForState(page, 'Demo data');
  await waitForHistory(uid);
  await page
    .getByTestId(config.summary)
    .getByText(/collections up to date/)
    .waitFor();
  await look(page, 'demo');
  await page.getByTestId(config.dashboards).click();
  await page.waitForURL(/\/d\/oura-today/);
  // Dashboards that were there before, for example provisioned ones, are not listed as imported.
  const response = await send('GET', '/api/plugins/ringside-oura-datasource/dashboards');
  const listed = (await response.json()) as Array<{ uid: string; imported: boolean }>;
  assert.ok(listed.length > 0);
  for (const { uid, imported } of listed) {
    const found = imported || (await send('GET', `/api/dashboards/uid/${uid}`)).status === 200;
    assert.ok(found, uid);
  }
});

/** Why journeys are skipped in Grafana. */
const SUB_PATH = inGrafana && 'GRAFANA_URL decides about the sub-path of all journeys';
const VIEWER = inGrafana && 'Grafana has no page of data sources for Viewers';

test('works below a sub-path', { skip: SUB_PATH }, async (t) => {
  const uid = await createReady();
  const page = await open(t);
  const address = configAddress(uid).replace(origin, `${origin}/grafana`);
  await page.goto(address);
  assert.equal(await page.getByTestId(config.redirectUri).inputValue(), address);
  await page.getByTestId(config.connect).click();
  await page.getByRole('button', { name: 'Allow' }).click();
  await waitForHistory(uid);
  await waitForState(page, 'Connected');
  assert.equal(page.url(), address);
  await page.getByText('Stored data', { exact: true }).click();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByTestId(config.export).click(),
  ]);
  assert.match(download.url(), /\/grafana\/api\/datasources\//);
  await page.getByTestId(config.dashboards).click();
  await page.waitForURL(/\/grafana\/d\/oura-today/);
});

test('is readable when provisioned', async (t) => {
  const uid = inGrafana
    ? await findProvisioned()
    : await createSource({ jsonData: { clientId: ID }, prefix: 'provisioned' });
  if (!uid) {
    t.skip('this Grafana has no provisioned data source with a client ID');
    return;
  }
  const page = await open(t);
  await page.goto(configAddress(uid));
  await page.getByTestId(config.clientId).waitFor();
  assert.ok(await page.getByTestId(config.clientId).isDisabled());
  await look(page, 'provisioned');
});

test('shows a Viewer a page without changes', { skip: VIEWER }, async (t) => {
  const page = await open(t, 'Viewer');
  await page.goto(configAddress(await createReady()));
  await page.getByText(/require the role Admin/).waitFor();
  assert.ok(await page.getByTestId(config.connect).isDisabled());
  assert.ok(await page.getByTestId(config.clientId).isDisabled());
  await look(page, 'viewer');
});

test('is usable by keyboard', async (t) => {
  const page = await open(t);
  await page.goto(configAddress(await createSource()));
  await page.getByTestId(config.clientId).focus();
  await page.keyboard.type(ID);
  await page.keyboard.press('Tab');
  await page.keyboard.type(SECRET);
  await waitForState(page, 'Ready to connect');
  await pressUntilFocused(page, 'Tab', page.getByTestId(config.connect));
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Allow' }).waitFor();
});

test('keeps the focus in a dialog and returns it', async (t) => {
  const { page } = await connect(t);
  const disconnect = page.getByTestId(config.disconnect);
  await disconnect.focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await pressUntilFocused(page, 'Tab', dialog.getByRole('button', { name: 'Cancel' }));
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await pressUntilFocused(page, 'Tab', disconnect);
  await pressUntilFocused(page, 'Tab', page.getByRole('button', { name: 'Sync settings' }));
  await page.keyboard.press('Enter');
  await page.getByLabel('Sync interval').waitFor();
  await checkAccessibility(page, 'opened by keyboard');
});
