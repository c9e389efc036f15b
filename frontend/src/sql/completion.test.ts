import { SCHEMA } from '../components/fixtures';
import type { Schema } from '../types';
import { type Suggestion, listSuggestions, toSnippet } from './completion';

const plain = { unit: null, description: null };
const FULL: Schema = {
  ...SCHEMA,
  sqliteFunctions: ['->>', 'coalesce'],
  tables: [
    ...SCHEMA.tables,
    {
      name: 'workout',
      description: 'one row per workout',
      columns: [
        { ...plain, name: 'activity', type: 'string' },
        { ...plain, name: 'calories', type: 'number' },
      ],
    },
  ],
};

/** Lists the suggestions at the `|` of a statement. */
async function suggest(marked: string, kind?: Suggestion['kind']): Promise<string[]> {
  const offset = marked.indexOf('|');
  const sql = marked.replace('|', '');
  const getValues = jest.fn((table: string, column: string) =>
    Promise.resolve([`${table}.${column}`, "Ann's"])
  );
  const found = await listSuggestions(FULL, sql, offset, ['$person'], getValues);
  return found.filter((each) => !kind || each.kind === kind).map(({ label }) => label);
}

const NIGHTS = ['average_hrv', 'efficiency', 'time', 'document'];

it.each([
  ['SELECT | FROM nights', NIGHTS],
  ['SELECT ave| FROM nights', NIGHTS],
  ['SELECT | FROM nights n JOIN heartrate h', [...NIGHTS, 'source']],
  ['SELECT | FROM "nights"', NIGHTS],
  ['SELECT * FROM nights WHERE |', NIGHTS],
  ["SELECT 'heartrate' FROM nights ORDER BY |", NIGHTS],
  ['SELECT -- FROM workout\n | FROM nights', NIGHTS],
  ['WITH n AS (SELECT 1) SELECT | FROM nights', NIGHTS],
])('suggests the columns of the tables in the statement: %s', async (sql, columns) => {
  expect(await suggest(sql, 'column')).toEqual(columns);
});

it.each([
  ['SELECT n.| FROM nights AS n JOIN heartrate h', NIGHTS],
  ['SELECT h.so| FROM nights n JOIN heartrate h', ['source']],
  ['SELECT N.| FROM nights n', NIGHTS],
  ['SELECT x.| FROM nights n', []],
])('suggests only columns after a dot: %s', async (sql, columns) => {
  expect(await suggest(sql)).toEqual(columns);
});

it.each([
  'SELECT * FROM |',
  'SELECT * FROM ni|',
  'SELECT * FROM heartrate JOIN |',
  'SELECT * FROM heartrate, |',
  'SELECT (SELECT 1 FROM |)',
])('suggests only tables: %s', async (sql) => {
  expect(await suggest(sql)).toEqual(['nights', 'heartrate', 'workout']);
});

it('suggests common table expressions as tables', async () => {
  expect(await suggest('WITH a AS (SELECT 1), b AS (SELECT 2) SELECT * FROM |')).toEqual(
    expect.arrayContaining(['a', 'b', 'nights'])
  );
});

it.each([
  ["SELECT * FROM heartrate WHERE source = '|'", ['heartrate.source', "Ann''s"]],
  ["SELECT * FROM heartrate h WHERE h.source <> '|", ['heartrate.source', "Ann''s"]],
  ['SELECT * FROM workout WHERE activity = |', ["'workout.activity'", "'Ann''s'"]],
  ["SELECT * FROM workout WHERE activity IN ('walking', '|", ['workout.activity', "Ann''s"]],
  ['SELECT * FROM workout WHERE activity NOT IN (|', ["'workout.activity'", "'Ann''s'"]],
  ['SELECT * FROM workout WHERE calories = |', []],
])('suggests the values of a compared column: %s', async (sql, values) => {
  expect(await suggest(sql, 'value')).toEqual(values);
});

it.each(["SELECT 'a| FROM nights", 'SELECT 1 -- a|', 'SELECT 1 /* a|'])(
  'suggests nothing inside a string or a comment: %s',
  async (sql) => {
    expect(await suggest(sql)).toEqual([]);
  }
);

it('suggests macros, functions, variables, aliases and keywords in expressions', async () => {
  const found = await suggest('SELECT | FROM nights AS n');
  expect(found).toEqual(
    expect.arrayContaining(['$__timeFilter', 'median', 'coalesce', '$person', 'n', 'SELECT'])
  );
  expect(found).not.toContain('->>');
});

it.each([
  ['$__timeFilter(column)', '\\$__timeFilter(${1:column})'],
  ['$__timeGroup(column, interval[, fill])', '\\$__timeGroup(${1:column}, ${2:interval})'],
  ['$__interval', '\\$__interval'],
  ['median(x)', 'median(${1:x})'],
  ['now()', 'now()'],
])('turns the usage %s into a snippet', (usage, snippet) => {
  expect(toSnippet(usage)).toBe(snippet);
});
