/** The configuration page with each state of a data source, and with bad responses. */
import assert from 'node:assert/strict';
import { type TestContext, after, test } from 'node:test';
import type { Page, Route } from 'playwright-core';

import { STATES, STATUS, statusWith } from '../src/components/fixtures';
import { selectors } from '../src/components/selectors';
import type { Status } from '../src/types';
import {
  ID,
  SECRET,
  closeBrowser,
  configAddress,
  createReady,
  createSource,
  listPrimaryActions,
  look,
  open,
} from './world';

const { config } = selectors;
const STATUS_ROUTE = '**/resources/status';

after(closeBrowser);

/** Opens a page with a status that a real backend seldom has. */
async function openStatus(t: TestContext, status: Status): Promise<Page> {
  const uid = await createReady();
  const page = await open(t);
  await page.route(STATUS_ROUTE, (route) => route.fulfill({ json: status }));
  await page.goto(configAddress(uid));
  await page.getByTestId(config.state).waitFor();
  return page;
}

const PRIMARY: Record<keyof typeof STATES, string> = {
  importing: 'Open dashboards',
  connected: 'Open dashboards',
  reconnect: 'Reconnect',
  scopes: 'Reconnect',
  membership: 'Sync now',
  failing: 'Sync now',
  disk: 'Check again',
  damaged: 'Repair',
};

for (const [name, status] of Object.entries(STATES)) {
  test(`shows the state ${name} with one primary action`, async (t) => {
    const page = await openStatus(t, status);
    await look(page, `state-${name}`);
    assert.deepEqual(await listPrimaryActions(page), [PRIMARY[name]]);
  });
}

const long = 'A very long text without an end. '.repeat(32).slice(0, 1000);
const unbroken = 'x'.repeat(1000);
const rightToLeft = 'النوم '.repeat(150);

const TEXTS: Record<string, Status> = {
  long: statusWith({
    reason: long,
    sync: { failure: unbroken },
    collections: { state: 'error', reason: long, name: unbroken, summary: long },
  }),
  'right-to-left': statusWith({
    state: 'reconnect_needed',
    reason: rightToLeft,
    collections: { state: 'error', reason: rightToLeft, name: rightToLeft },
  }),
  empty: { ...STATUS, collections: [] },
};

for (const [name, status] of Object.entries(TEXTS)) {
  test(`shows a status with texts that are ${name}`, async (t) => {
    const page = await openStatus(t, status);
    if (status.collections.length > 0) {
      await page.getByText('Collections', { exact: true }).click();
    }
    await look(page, `state-${name}`);
  });
}

const { damage, disk, ...older } = STATUS;
const { sync, ...oldest } = older;

const ANSWERS: Record<string, Parameters<Route['fulfill']>[0]> = {
  'an error 500': { status: 500, body: '{"message":"internal error"}' },
  'an error without a body': { status: 502, body: '' },
  'half a body': { status: 200, contentType: 'application/json', body: '{"state":"conn' },
  'an older schema': { json: older },
  'the oldest schema': { json: oldest },
  'a newer schema': { json: { ...STATUS, state: 'levitating', news: { a: 1 } } },
  'without collections': { json: { ...STATUS, collections: null } },
  'of wrong types': { json: { ...STATUS, collections: 'x', scopes: 7, sync: 'x', disk: [] } },
  'a list': { json: [] },
};

for (const [name, answer] of Object.entries(ANSWERS)) {
  test(`stays usable when the status is ${name}`, async (t) => {
    const page = await open(t);
    await page.route(STATUS_ROUTE, (route) => route.fulfill(answer));
    await page.goto(configAddress(await createReady()));
    await page.getByTestId(config.state).or(page.getByRole('alert')).first().waitFor();
    await page.getByText('Sync settings').click();
    await page.getByLabel('Sync interval').waitFor();
  });
}

test('stays usable while the status is slow', async (t) => {
  const page = await open(t);
  await page.route(STATUS_ROUTE, () => {});
  await page.goto(configAddress(await createSource()));
  await page.getByTestId(config.clientId).fill(ID);
  await page.getByTestId(config.clientSecret).fill(SECRET);
  await page.getByText('Save and connect').waitFor();
});
