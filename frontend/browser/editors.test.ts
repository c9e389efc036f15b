/** Journeys in the editors of queries, annotations and variables. */
import assert from 'node:assert/strict';
import { type TestContext, after, before, test } from 'node:test';
import type { Page } from 'playwright-core';

import { selectors } from '../src/components/selectors';
import { metricGroup } from '../src/metricGroups';
import type { OuraQuery, Schema } from '../src/types';
import {
  checkAccessibility,
  choose,
  closeBrowser,
  createDemo,
  type EditorOptions,
  findOption,
  look,
  open,
  prepareEditor,
  pressUntilFocused,
  send,
  waitForQuery,
  waitForRows,
} from './world';

const { query: editor, builder, annotation, variable } = selectors;

after(closeBrowser);

let uid: string;
before(async () => {
  uid = await createDemo();
});

type Query = Partial<OuraQuery>;

const METRICS: Query = { queryType: 'metrics', metrics: ['nights.average_hrv'] };
const HEART_RATE: Query = { queryType: 'metrics', metrics: ['heartrate.bpm'] };

async function openExplore(t: TestContext, query?: Query) {
  const page = await open(t);
  await page.goto(await prepareEditor(uid, 'explore', { query }));
  return page;
}

/** Opens the editor of a panel, in a dashboard with variables. Returns its first query as sent. */
async function openPanel(t: TestContext, options: EditorOptions) {
  const page = await open(t);
  const address = await prepareEditor(uid, 'panel', options);
  const query = await waitForQuery(page, () => page.goto(address));
  return { page, query };
}

async function openSql(t: TestContext, rawSql: string) {
  const page = await openExplore(t, { queryType: 'sql', format: 'table', rawSql });
  await page.locator('.monaco-editor .view-line').first().waitFor();
  return page;
}

/** Replaces the text, and leaves the cursor at its end. */
async function type(page: Page, text: string) {
  await page.locator('.monaco-editor').first().click();
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.press('Delete');
  await page.keyboard.type(text);
}

const suggestion = (page: Page, label: string) =>
  page.locator('.suggest-widget .monaco-list-row').filter({ hasText: label }).first();

const line = (page: Page, text: string) => page.locator('.view-line').getByText(text).first();

/** Waits until the SQL editor contains a text. */
const waitForSql = (page: Page, expected: RegExp) =>
  page.waitForFunction(
    ([source, flags]) =>
      new RegExp(source, flags).test(
        document
          .querySelector<HTMLElement>('.monaco-editor .view-lines')
          ?.innerText.replaceAll('\u00a0', ' ') ?? ''
      ),
    [expected.source, expected.flags]
  );

test('runs a new query as its editor shows it', async (t) => {
  const page = await openExplore(t);
  await page.getByText('Sleep score').first().waitFor();
  await waitForRows(page);
  await look(page, 'builder');
});

test('finds a metric by title, name and unit', async (t) => {
  const page = await openExplore(t);
  // The list of metrics has arrived with the titles.
  await page.getByText('Sleep score').first().waitFor();
  const option = page.getByRole('option').filter({ hasText: 'nights.average_hrv' }).first();
  for (const search of ['heart rate variability nights', 'nights.average_hrv', 'hrv ms']) {
    await page.getByTestId(builder.metrics).fill(search);
    await option.waitFor();
  }
  await option.click();
  await page.keyboard.press('Escape');
  await waitForRows(page);
});

const GROUPS = 'Sleep Readiness Activity Heart Stress Body Workouts Tags Ring'.split(' ');

test('groups every metric by subject', async (t) => {
  const response = await send('GET', `/api/datasources/uid/${uid}/resources/schema`);
  const { metrics } = (await response.json()) as Schema;
  const groups = new Set(metrics.map(({ name }) => metricGroup(name)));
  assert.deepEqual(Array.from(groups).sort(), Array.from(GROUPS).sort());
  const page = await openExplore(t);
  await page.getByText('Sleep score').first().waitFor();
  // The list only renders visible items, and a group is found by its name.
  for (const group of GROUPS) {
    await page.getByTestId(builder.metrics).fill(group);
    const heading = page.getByTestId('combobox-option-group');
    await heading.getByText(group, { exact: true }).waitFor();
  }
});

test('builds a query by keyboard', async (t) => {
  const page = await openExplore(t);
  await page.getByText('Sleep score').first().waitFor();
  const metrics = page.getByTestId(builder.metrics);
  await page.getByRole('radio', { name: 'Builder' }).focus();
  await pressUntilFocused(page, 'Tab', metrics);
  await page.keyboard.insertText('nights.average_hrv');
  await page.getByRole('option').filter({ hasText: 'nights.average_hrv' }).first().waitFor();
  await page.keyboard.press('ArrowDown');
  const query = await waitForQuery(page, () => page.keyboard.press('Enter'));
  assert.deepEqual(query.metrics?.at(-1), 'nights.average_hrv');
  await page.keyboard.press('Escape');
  await pressUntilFocused(page, 'Tab', page.getByTestId(builder.aggregate));
  await page.keyboard.press('ArrowDown');
  await page.getByRole('option', { name: 'Median' }).waitFor();
  await page.keyboard.insertText('Median');
  await page.getByRole('option', { name: 'Average' }).waitFor({ state: 'detached' });
  await page.keyboard.press('ArrowDown');
  const changed = await waitForQuery(page, () => page.keyboard.press('Enter'));
  assert.equal(changed.aggregate, 'median');
  await pressUntilFocused(page, 'Tab', page.getByTestId(builder.addFilter));
  await page.keyboard.press('Enter');
  await page.getByTestId(builder.filter).waitFor();
  await checkAccessibility(page, 'built by keyboard');
});

test('leaves the SQL editor by keyboard', async (t) => {
  const page = await openSql(t, 'SELECT 1');
  await page.locator('.monaco-editor').first().click();
  // Monaco's own key, which its text for screen readers names: Tab moves the focus from now on.
  await page.keyboard.press('Control+m');
  await pressUntilFocused(page, 'Shift+Tab', page.getByTestId(editor.reference));
  await page.keyboard.press('Enter');
  const macro = page.getByRole('button', { name: 'Insert $__timeFilter(' }).first();
  await pressUntilFocused(page, 'Tab', macro);
  await page.keyboard.press('Enter');
  await waitForSql(page, /\$__timeFilter\(/);
  // Tab moves the focus for all editors of the page until the key is pressed again.
  await page.keyboard.press('Control+m');
});

test('goes from the builder to SQL and back', async (t) => {
  const page = await openExplore(t);
  await waitForRows(page);
  await page.getByText('Preview of the SQL').click();
  await page.getByTestId(builder.preview).getByText('SELECT').waitFor();
  await page.getByRole('radio', { name: 'SQL' }).click();
  await line(page, 'SELECT').waitFor();
  await waitForRows(page);
  await look(page, 'sql');
  await page.getByRole('radio', { name: 'Builder' }).click();
  const question = page.getByRole('button', { name: 'Switch to builder' });
  await question.or(page.getByTestId(builder.metrics)).first().waitFor();
  if (await question.isVisible()) {
    await question.click();
  }
  await page.getByTestId(builder.metrics).waitFor();
});

test('draws a baseline as a band around a dashed line', async (t) => {
  const page = await open(t);
  const address = await prepareEditor(uid, 'explore', { query: { ...METRICS, baseline: 14 } });
  const [response] = await Promise.all([
    page.waitForResponse((response) => response.url().includes('/api/ds/query')),
    page.goto(address),
  ]);
  interface Field {
    name: string;
    config?: { displayNameFromDS?: string; custom?: Line };
  }
  interface Line {
    fillBelowTo?: string;
    lineWidth?: number;
    lineStyle?: { fill?: string };
  }
  const { results } = (await response.json()) as {
    results: { A: { frames: Array<{ schema: { fields: Field[] } }> } };
  };
  const fields = results.A.frames.flatMap(({ schema }) => schema.fields);
  const lines = fields.flatMap(({ config }) => config?.custom ?? []);
  const band = lines.find(({ fillBelowTo }) => fillBelowTo);
  assert.equal(band?.lineWidth, 0);
  assert.ok(fields.some(({ config }) => config?.displayNameFromDS === band.fillBelowTo));
  assert.ok(lines.some(({ lineStyle }) => lineStyle?.fill === 'dash'));
  await waitForRows(page);
  await look(page, 'baseline');
});

for (const [name, testId, option] of [
  ['step', builder.every, '$step'],
  ['movingAverage', builder.movingAverage, '$days'],
  ['baseline', builder.baseline, '$days'],
  ['shift', builder.shift, '$days'],
] as const) {
  test(`uses a variable as ${name}`, async (t) => {
    const { page } = await openPanel(t, { query: METRICS });
    await waitForRows(page);
    const query = await waitForQuery(page, () => choose(page, testId, option));
    const sent = name === 'step' ? query.every : query[name];
    assert.equal(sent, name === 'step' ? 'week' : '7');
    await waitForRows(page);
    assert.equal(await page.getByTestId(testId).inputValue(), option);
  });
}

test('uses a variable with several metrics', async (t) => {
  const { page } = await openPanel(t, { query: { ...METRICS, metrics: ['$metric'] } });
  await waitForRows(page);
  await page.getByText('$metric', { exact: true }).first().waitFor();
});

test('quotes every value of a variable in SQL', async (t) => {
  const rawSql = 'SELECT count(*) AS n FROM workout WHERE activity IN ($activity)';
  const { page, query } = await openPanel(t, {
    query: { queryType: 'sql', format: 'table', rawSql },
  });
  assert.match(query.rawSql ?? '', /IN \('walking','Ann''s run'\)$/);
  await waitForRows(page);
});

test('filters by every value of a variable', async (t) => {
  const filters: Query['filters'] = [{ column: 'activity', operator: 'in', values: ['$activity'] }];
  const { page, query } = await openPanel(t, {
    query: { queryType: 'metrics', metrics: ['workout.calories'], filters },
  });
  assert.deepEqual(query.filters?.[0].values, ['walking', "Ann's run"]);
  await waitForRows(page);
});

test('filters by a value from the data', async (t) => {
  const page = await openExplore(t, HEART_RATE);
  await page.getByTestId(builder.addFilter).click();
  await choose(page, builder.filterColumn, /^source/);
  await choose(page, builder.filterOperator, '=');
  const query = await waitForQuery(page, () => choose(page, builder.filterValue, 'awake'));
  assert.deepEqual(query.filters, [{ column: 'source', operator: '=', value: 'awake' }]);
  await waitForRows(page);
  await look(page, 'filter');
});

test('applies ad-hoc filters to the metrics of their table', async (t) => {
  const filters = [
    { key: 'heartrate.source', operator: '=', value: 'awake' },
    { key: 'workout.activity', operator: '=', value: "Ann's run" },
  ];
  const { page, query } = await openPanel(t, { query: HEART_RATE, filters });
  assert.deepEqual(query.filters, [{ column: 'heartrate.source', operator: '=', value: 'awake' }]);
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
  await waitForSql(page, /\$__timeFilter\(time\)/);
});

test('shows hovers and signatures', async (t) => {
  const page = await openSql(t, 'SELECT average_hrv FROM nights');
  await line(page, 'average_hrv').hover();
  await page.locator('.monaco-hover').getByText('average_hrv').first().waitFor();
  await type(page, 'SELECT median(');
  await page.locator('.parameter-hints-widget').getByText('median').first().waitFor();
});

test('marks a mistake, and mends it with the suggestion', async (t) => {
  const page = await openSql(t, 'SELECT day, averge_hrv\nFROM nights');
  await page.locator('.squiggly-error').first().waitFor();
  await line(page, 'averge_hrv').click();
  await page.keyboard.press('ControlOrMeta+Period');
  await page.getByText('Replace with average_hrv').waitFor();
  await page.keyboard.press('Enter');
  await line(page, 'average_hrv').waitFor();
  await page.keyboard.press('ControlOrMeta+Enter');
  await page.locator('.squiggly-error').first().waitFor({ state: 'detached' });
  await waitForRows(page);
});

test('formats SQL and leaves macros alone', async (t) => {
  const page = await openSql(t, 'select time, steps from days where $__timeFilter(time)');
  await page.getByTestId(editor.tidy).click();
  await waitForSql(page, /WHERE\s+\$__timeFilter\(time\)/);
});

test('inserts a macro from the reference', async (t) => {
  const page = await openSql(t, 'SELECT 1');
  await type(page, 'SELECT * FROM days WHERE ');
  await page.getByTestId(editor.reference).click();
  await checkAccessibility(page, 'reference');
  await page.getByRole('button', { name: 'Insert $__timeFilter(' }).first().click();
  await page.keyboard.type('time');
  await waitForSql(page, /WHERE \$__timeFilter\(time/);
});

test('offers examples', async (t) => {
  const page = await openSql(t, 'SELECT 1');
  await page.getByTestId(editor.examples).click();
  await page.getByRole('menuitem').filter({ hasText: 'Workouts with duration' }).click();
  await waitForSql(page, /workout/);
});

/** Opens an editor of the dashboard's settings. */
async function openEditor(t: TestContext, kind: 'annotations' | 'variables', query: Query) {
  const page = await open(t);
  await page.goto(await prepareEditor(uid, kind, { query }));
  await page.getByTestId(editor.type).waitFor();
  return page;
}

const WORKOUTS: Query = { queryType: 'annotations', kinds: ['workouts'] };

test('chooses the kinds of annotations', async (t) => {
  const page = await openEditor(t, 'annotations', WORKOUTS);
  await waitForRows(page);
  const query = await waitForQuery(page, () => choose(page, annotation.kinds, /^Sleep/));
  assert.deepEqual(query.kinds, ['workouts', 'sleep']);
  await page.keyboard.press('Escape');
  await waitForRows(page);
  await look(page, 'annotations');
});

test('writes an annotation in SQL, and keeps its kinds', async (t) => {
  const page = await openEditor(t, 'annotations', WORKOUTS);
  const query = await waitForQuery(page, () => page.getByRole('radio', { name: 'SQL' }).click());
  assert.match(query.rawSql ?? '', /FROM workout/);
  await waitForRows(page);
  await look(page, 'annotations-sql');
  await page.getByRole('radio', { name: 'Events' }).click();
  await page.getByText('Workouts', { exact: true }).first().waitFor();
});

test('offers the result of SQL as options of a variable', async (t) => {
  const rawSql = "SELECT 'walking' AS __value, 'On foot' AS __text";
  const page = await openEditor(t, 'variables', { queryType: 'sql', rawSql });
  await findOption(page, 'On foot', 'walking').waitFor();
  await look(page, 'variables');
});

test('offers the values of a column as options of a variable', async (t) => {
  const page = await openEditor(t, 'variables', { queryType: 'sql', rawSql: 'SELECT 1' });
  await page.getByRole('radio', { name: 'Column values' }).click();
  await findOption(page, 'walking', 'walking').waitFor();
  await choose(page, variable.table, /^heartrate(?!_)/, 'heartrate');
  await choose(page, variable.column, /^source/);
  await findOption(page, 'awake', 'awake').waitFor();
  await look(page, 'variables-values');
});

test('offers the metrics of a group as options of a variable', async (t) => {
  const page = await openEditor(t, 'variables', { queryType: 'sql', rawSql: 'SELECT 1' });
  await page.getByRole('radio', { name: 'Metrics' }).click();
  await findOption(page, 'Sleep score', 'days.sleep_score').waitFor();
  await choose(page, variable.group, 'Heart');
  await findOption(page, 'Heart rate', 'heartrate.bpm').waitFor();
  await findOption(page, 'Sleep score', 'days.sleep_score').waitFor({ state: 'detached' });
  await look(page, 'variables-metrics');
});

const SAVED: Record<string, object> = {
  'of version 0.1.0': { rawSql: 'SELECT day, steps FROM days', format: 'table' },
  'of wrong types': { queryType: 'metrics', metrics: 'x', filters: 7, every: 60, baseline: [] },
  'with unknown fields': { queryType: 'metrics', metrics: ['days.steps'], shape: { a: [1] } },
};

for (const [name, query] of Object.entries(SAVED)) {
  test(`opens a saved query ${name}`, async (t) => {
    const page = await openExplore(t, query);
    await page.getByText('Builder', { exact: true }).waitFor();
  });
}

test('opens saved annotations and variables of wrong types', async (t) => {
  const broken = { kinds: 'x', rawSql: 7, options: 'x' } as unknown as Query;
  for (const kind of ['annotations', 'variables'] as const) {
    const page = await openEditor(t, kind, { queryType: 'sql', ...broken });
    await page.locator('.monaco-editor .view-line').first().waitFor();
  }
});

const SCHEMAS: Record<string, object> = {
  'an error 500': { status: 500, body: '{"x' },
  'half a body': { status: 200, contentType: 'application/json', body: '{"tables":[' },
  'an older schema': { json: { metrics: [], tables: [] } },
  'a list': { json: [] },
};

for (const [name, answer] of Object.entries(SCHEMAS)) {
  test(`stays usable when the schema is ${name}`, async (t) => {
    const page = await open(t);
    await page.route('**/resources/schema', (route) => route.fulfill(answer));
    await page.goto(await prepareEditor(uid, 'explore'));
    await page.getByText('days.sleep_score').first().waitFor();
    await waitForRows(page);
    await page.getByRole('radio', { name: 'SQL' }).click();
    await page.locator('.monaco-editor .view-line').first().waitFor();
  });
}

/** Replaces every text of the schema that people read. */
function replaceTexts(schema: Schema, text: string): Schema {
  const describe = <T extends object>(each: T) => ({ ...each, description: text });
  return {
    ...schema,
    metrics: schema.metrics.map((each) => ({ ...describe(each), title: text })),
    tables: schema.tables.map((each) => ({
      ...describe(each),
      columns: each.columns.map(describe),
    })),
    macros: schema.macros.map(describe),
  };
}

/** Adds parts of a possible later version: fields, types, units, kinds and metrics without texts. */
function renew(schema: Schema): object {
  const added = { news: { list: [1] } };
  return {
    ...schema,
    ...added,
    metrics: [
      ...schema.metrics.map((each) => ({ ...each, ...added })),
      { name: 'moods.level', title: null, table: 'moods', unit: 'mood', ...added },
    ],
    tables: [
      ...schema.tables.map((each) => ({ ...each, ...added })),
      { name: 'moods', columns: [{ name: 'level', type: 'mood', ...added }], ...added },
    ],
    annotations: [...schema.annotations, { name: 'moods', ...added }],
    macros: [...schema.macros, { name: '__mood', usage: '$__mood(a, b)', ...added }],
    functions: [...schema.functions, { name: 'mood', usage: 'mood(x)', ...added }],
  };
}

test('uses the known part of a newer schema', async (t) => {
  const page = await open(t);
  await page.route('**/resources/schema', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ json: renew(await response.json()) });
  });
  await page.goto(await prepareEditor(uid, 'explore'));
  await waitForRows(page);
  await page.getByTestId(builder.metrics).fill('moods.level');
  await page.getByRole('option').filter({ hasText: 'moods.level' }).first().waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('radio', { name: 'SQL' }).click();
  await page.locator('.monaco-editor .view-line').first().waitFor();
  await type(page, 'SELECT level FROM moo');
  await suggestion(page, 'moods').waitFor();
  await page.keyboard.press('Escape');
  await type(page, 'SELECT mood(');
  await page.locator('.parameter-hints-widget').getByText('mood(x)').first().waitFor();
  await page.keyboard.press('Escape');
  await page.getByTestId(editor.reference).click();
  await page.getByRole('button', { name: 'Insert $__mood(' }).waitFor();
  await page.getByLabel('Search tables and columns').fill('moods');
  await page.getByRole('button', { name: 'Insert level' }).waitFor();
});

for (const [name, text] of [
  ['long', 'A very long text without an end. '.repeat(32).slice(0, 1000)],
  ['unbroken', 'x'.repeat(1000)],
  ['right-to-left', 'النوم '.repeat(150)],
]) {
  test(`shows a schema with texts that are ${name}`, async (t) => {
    const page = await open(t);
    await page.route('**/resources/schema', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ json: replaceTexts(await response.json(), text) });
    });
    await page.goto(await prepareEditor(uid, 'explore'));
    await waitForRows(page);
    await look(page, `schema-${name}`);
    await page.getByRole('radio', { name: 'SQL' }).click();
    await page.getByTestId(editor.reference).click();
    await look(page, `schema-${name}-reference`);
  });
}

test('shows the error of a failing query', async (t) => {
  const page = await open(t);
  await page.route('**/api/ds/query*', (route) => route.fulfill({ status: 500, body: '{"x' }));
  await page.goto(await prepareEditor(uid, 'explore', { query: METRICS }));
  const error = page.getByTestId('result').getByText('Error:');
  await error
    .or(page.getByTestId(/Alert error/))
    .first()
    .waitFor();
  await page.unroute('**/api/ds/query*');
  await waitForQuery(page, () => choose(page, builder.aggregate, /max/i));
  await waitForRows(page);
});

test('stays usable while a query is slow', async (t) => {
  const page = await open(t);
  let answer = () => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  await page.route('**/api/ds/query*', async (route) => {
    await answered;
    // A query that Grafana has cancelled needs no response.
    await route.continue().catch(() => {});
  });
  await waitForQuery(page, async () =>
    page.goto(await prepareEditor(uid, 'explore', { query: METRICS }))
  );
  const query = await waitForQuery(page, () => choose(page, builder.aggregate, /max/i));
  assert.equal(query.aggregate, 'max');
  await page.getByRole('radio', { name: 'SQL' }).click();
  await page.locator('.monaco-editor .view-line').first().waitFor();
  await page.getByRole('radio', { name: 'Builder' }).click();
  await page.getByTestId(builder.metrics).waitFor();
  answer();
  await waitForRows(page);
});
