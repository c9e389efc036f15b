/** The pages of `gpx_oura serve` for people: the login, and the description of the API. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { closeBrowser, open } from './world';

const { SERVE_URL = '', SERVE_ADMIN_TOKEN = '' } = process.env;

/** Why the journeys are skipped: the host tests start a server, a real Grafana has none. */
const skip = SERVE_URL === '' && 'SERVE_URL has no address of a running gpx_oura serve';

after(closeBrowser);

test('logs in on the pages of serve', { skip }, async (t) => {
  const page = await open(t);
  await page.goto(`${SERVE_URL}/oauth/start`);
  const token = page.getByLabel('Admin token');
  const connect = page.getByRole('button', { name: 'Connect' });
  await token.fill('a-token-of-a-stranger');
  await connect.click();
  await page.getByText('missing or invalid token').waitFor();
  await token.fill(SERVE_ADMIN_TOKEN);
  await connect.click();
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.getByText('Connected. The first sync has started.').waitFor();
  // Neither the code nor the token stays in the browser.
  assert.equal(page.url(), `${SERVE_URL}/oauth/callback`);
  assert.equal(await page.evaluate(() => sessionStorage.getItem('token')), null);
});

test('describes the routes of serve on a page', { skip }, async (t) => {
  const page = await open(t);
  await page.goto(`${SERVE_URL}/docs`);
  await page.getByRole('heading', { name: 'POST /sql' }).waitFor();
  assert.ok((await page.getByRole('heading').count()) > 15);
});
