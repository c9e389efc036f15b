import { listSuggestions } from './completion';
import type { Schema } from './types';

const plain = { unit: null, description: null };

const SCHEMA: Schema = {
  specification: '1.43',
  timezone: 'UTC',
  series: [],
  metrics: [],
  annotations: [],
  functions: [
    {
      name: 'median',
      usage: 'median(x)',
      description: 'median',
      example: 'SELECT median(score) FROM daily_sleep',
    },
  ],
  sqliteFunctions: ['->>', 'coalesce'],
  macros: [
    {
      name: '__timeFilter',
      usage: '$__timeFilter(column)',
      description: 'restricts a time column to the range',
    },
  ],
  tables: [
    {
      name: 'nights',
      description: 'one row per night',
      columns: [
        { ...plain, name: 'day', type: 'text' },
        { ...plain, name: 'average_hrv', type: 'integer', unit: 'suffix: ms' },
      ],
    },
    {
      name: 'workout',
      description: 'one row per workout',
      columns: [
        { ...plain, name: 'day', type: 'text' },
        { ...plain, name: 'activity', type: 'text' },
      ],
    },
  ],
};

const labels = (sql: string) => listSuggestions(SCHEMA, sql).map(({ label }) => label);

describe('completion', () => {
  it('always offers macros and tables', () => {
    expect(labels('')).toEqual(expect.arrayContaining(['$__timeFilter', 'nights', 'workout']));
  });

  it('offers the columns of the tables in the query', () => {
    expect(labels('SELECT  FROM Nights')).toContain('average_hrv');
    expect(labels('SELECT  FROM Nights')).not.toContain('activity');
  });

  it('offers every column once without a table in the query', () => {
    const offered = labels('SELECT ');
    expect(offered).toEqual(expect.arrayContaining(['average_hrv', 'activity']));
    expect(offered.filter((label) => label === 'day')).toHaveLength(1);
  });

  it('offers functions with their arguments', () => {
    expect(listSuggestions(SCHEMA, '')).toContainEqual({
      label: 'median',
      kind: 'function',
      detail: 'median(x)',
      documentation: 'median',
    });
  });

  it("offers the dashboard's variables", () => {
    expect(
      listSuggestions(SCHEMA, '', { variables: ['$activity'] }).map(({ label }) => label)
    ).toContain('$activity');
  });

  it("offers SQLite's functions and SQL keywords", () => {
    expect(labels('')).toEqual(expect.arrayContaining(['coalesce', 'GROUP BY']));
    expect(labels('')).not.toContain('->>');
  });

  it('offers only columns after a dot', () => {
    const offered = listSuggestions(SCHEMA, 'SELECT nights. FROM nights', {
      variables: ['$activity'],
      afterDot: true,
    });
    expect(offered.map(({ label }) => label)).toEqual(['day', 'average_hrv']);
  });

  it('shows type and unit', () => {
    expect(
      listSuggestions(SCHEMA, 'nights').find(({ label }) => label === 'average_hrv')?.detail
    ).toBe('integer, ms');
  });
});
