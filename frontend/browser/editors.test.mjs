/** Journeys in the editors of queries, annotations and variables. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import {
  browser,
  checkAccessibility,
  createDemo,
  editorAddress,
  inGrafana,
  look,
  open,
  waitForRows,
} from './world.mjs';

after(() => browser.close());

let uid;
before(async () => {
  uid = await createDemo();
});

const SQL = { refId: 'A', queryType: 'sql', format: 'table' };

async function openSql(t, rawSql) {
  const page = await open(t);
  await page.goto(editorAddress(uid, { ...SQL, rawSql }));
  await page.locator('.monaco-editor .view-line').first().waitFor();
  return page;
}

/** Replaces the text, and leaves the cursor at its end. */
async function type(page, text) {
  await page.locator('.monaco-editor').first().click();
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.press('Delete');
  await page.keyboard.type(text);
}

const suggestion = (page, label) =>
  page.locator('.suggest-widget .monaco-list-row').filter({ hasText: label }).first();

const text = async (page) =>
  (await page.locator('.monaco-editor .view-lines').first().innerText()).replaceAll('\u00a0', ' ');

test('runs a new query as its editor shows it', async (t) => {
  const page = await open(t);
  await page.goto(editorAddress(uid));
  await page.getByText('Sleep score').first().waitFor();
  await waitForRows(page);
  await look(page, 'builder');
});

test('finds a metric by title, name and unit', async (t) => {
  const page = await open(t);
  await page.goto(editorAddress(uid));
  for (const search of ['heart rate variability nights', 'nights.average_hrv', 'hrv ms']) {
    await page.getByTestId('oura-metrics').fill(search);
    await page.getByRole('option').filter({ hasText: 'nights.average_hrv' }).first().waitFor();
  }
  await page.getByRole('option').filter({ hasText: 'nights.average_hrv' }).first().click();
  await page.keyboard.press('Escape');
  await waitForRows(page);
});

test('goes from the builder to SQL and back', async (t) => {
  const page = await open(t);
  await page.goto(editorAddress(uid));
  await waitForRows(page);
  await page.getByText('Preview of the SQL').click();
  await page.getByTestId('oura-preview').getByText('SELECT').waitFor();
  await page.getByRole('radio', { name: 'SQL' }).click();
  await page.locator('.monaco-editor').getByText('SELECT').first().waitFor();
  await waitForRows(page);
  await look(page, 'sql');
  await page.getByRole('radio', { name: 'Builder' }).click();
  const question = page.getByRole('button', { name: 'Switch to builder' });
  await question.or(page.getByTestId('oura-metrics')).first().waitFor();
  if (await question.isVisible()) {
    await question.click();
  }
  await page.getByTestId('oura-metrics').waitFor();
});

test('draws a baseline with three bands', async (t) => {
  const page = await open(t);
  const metrics = { refId: 'A', queryType: 'metrics', metrics: ['nights.average_hrv'] };
  await page.goto(editorAddress(uid, { ...metrics, baseline: 14 }));
  await waitForRows(page);
});

test('completes columns, tables, macros and values by context', async (t) => {
  const page = await openSql(t, 'SELECT 1');
  await type(page, 'SELECT count(*) AS n FROM work');
  await suggestion(page, 'workout').waitFor();
  await page.keyboard.press('Escape');
  await type(page, 'SELECT n. FROM nights n');
  for (let i = 0; i < ' FROM nights n'.length; i++) {
    await page.keyboard.press('ArrowLeft');
  }
  await page.keyboard.press('ControlOrMeta+Space');
  await suggestion(page, 'average_hrv').waitFor();
  assert.equal(await suggestion(page, 'SELECT').count(), 0);
  await page.keyboard.press('Escape');
  await type(page, "SELECT * FROM heartrate WHERE source = '");
  await page.keyboard.press('ControlOrMeta+Space');
  await suggestion(page, 'awake').waitFor();
  await page.keyboard.press('Escape');
  await type(page, 'SELECT time FROM days WHERE $__timeFil');
  await suggestion(page, '$__timeFilter').waitFor();
  await page.keyboard.press('Enter');
  await page.keyboard.type('time');
  await page.keyboard.press('Escape');
  assert.match(await text(page), /\$__timeFilter\(time\)/);
});

test('shows hovers and signatures', async (t) => {
  const page = await openSql(t, 'SELECT average_hrv FROM nights');
  await page.locator('.view-line').getByText('average_hrv').first().hover();
  await page.locator('.monaco-hover').getByText('average_hrv').first().waitFor();
  await type(page, 'SELECT median(');
  await page.locator('.parameter-hints-widget').getByText('median').first().waitFor();
});

test('marks a mistake, and mends it with the suggestion', async (t) => {
  const page = await openSql(t, 'SELECT day, averge_hrv\nFROM nights');
  await page.locator('.squiggly-error').first().waitFor();
  await page.locator('.view-line').getByText('averge_hrv').first().click();
  await page.keyboard.press('ControlOrMeta+Period');
  await page.getByText('Replace with average_hrv').waitFor();
  await page.keyboard.press('Enter');
  await page.locator('.view-line').getByText('average_hrv').first().waitFor();
  await page.keyboard.press('ControlOrMeta+Enter');
  await page.locator('.squiggly-error').first().waitFor({ state: 'detached' });
  await waitForRows(page);
});

test('formats SQL and leaves macros alone', async (t) => {
  const page = await openSql(t, 'select time, steps from days where $__timeFilter(time)');
  await page.getByTestId('oura-tidy').click();
  await page.locator('.view-line').getByText('WHERE').first().waitFor();
  assert.match(await text(page), /\$__timeFilter\(time\)/);
});

test('inserts a macro from the reference', async (t) => {
  const page = await openSql(t, 'SELECT 1');
  await type(page, 'SELECT * FROM days WHERE ');
  await page.getByTestId('oura-reference').click();
  await checkAccessibility(page, 'reference');
  await page.getByRole('button', { name: 'Insert $__timeFilter(' }).first().click();
  await page.keyboard.type('time');
  await page.locator('.view-line').getByText('timeFilter(').first().waitFor();
  assert.match(await text(page), /WHERE \$__timeFilter\(time/);
});

test('offers examples', async (t) => {
  const page = await openSql(t, 'SELECT 1');
  await page.getByTestId('oura-examples').click();
  await page.getByRole('menuitem').filter({ hasText: 'Workouts with duration' }).click();
  await page.locator('.view-line').getByText('workout').first().waitFor();
});

for (const kind of inGrafana ? [] : ['annotations', 'variables']) {
  test(`edits ${kind}`, async (t) => {
    const page = await open(t);
    const query =
      kind === 'annotations' ? { refId: 'A', queryType: 'annotations', kinds: [] } : { refId: 'A' };
    await page.goto(editorAddress(uid, query, kind));
    await waitForRows(page);
    await look(page, kind);
  });
}

for (const [name, query] of Object.entries({
  'of version 0.1.0': { rawSql: 'SELECT day, steps FROM days', format: 'table' },
  'of wrong types': { queryType: 'metrics', metrics: 'x', filters: 7, every: 60, baseline: [] },
  'with unknown fields': { queryType: 'metrics', metrics: ['days.steps'], shape: { a: [1] } },
})) {
  test(`opens a saved query ${name}`, async (t) => {
    const page = await open(t);
    await page.goto(editorAddress(uid, { refId: 'A', ...query }));
    await page.getByText('Builder', { exact: true }).waitFor();
  });
}

test('stays usable without a schema', { skip: inGrafana }, async (t) => {
  const page = await open(t);
  await page.route('**/resources/schema', (route) => route.fulfill({ status: 500, body: '{"x' }));
  await page.goto(editorAddress(uid));
  await page.getByText('days.sleep_score').first().waitFor();
  await waitForRows(page);
});
