import type { AdHocVariableFilter } from '@grafana/data';

import { listFilterKeys, selectFilters } from './adhoc';
import { SCHEMA } from './components/fixtures';

const select = (filter: Partial<AdHocVariableFilter>, metrics = ['heartrate.bpm']) =>
  selectFilters(metrics, [{ key: 'heartrate.source', operator: '=', value: 'awake', ...filter }]);

describe('listFilterKeys', () => {
  const keys = listFilterKeys(SCHEMA).map(({ value }) => value);

  it('lists the columns of tables with metrics', () => {
    expect(keys).toEqual(['nights.average_hrv', 'nights.efficiency', 'heartrate.source']);
  });

  it('leaves out time columns and internal columns', () => {
    expect(keys).not.toContain('nights.time');
    expect(keys).not.toContain('nights.document');
  });
});

describe('selectFilters', () => {
  it('selects filters on the tables of the metrics', () => {
    expect(select({})).toEqual([{ column: 'heartrate.source', operator: '=', value: 'awake' }]);
    expect(select({}, ['days.steps', 'heartrate.bpm'])).toHaveLength(1);
    expect(select({}, ['days.steps'])).toEqual([]);
  });

  it('keeps a column without a table', () => {
    expect(select({ key: 'source' })).toHaveLength(1);
  });

  it('drops a filter without a column', () => {
    expect(select({ key: '' })).toEqual([]);
  });

  it('compares numbers as numbers', () => {
    expect(select({ key: 'heartrate.bpm', operator: '>', value: '60' })[0].value).toBe(60);
  });

  it.each([
    ['=|', { operator: 'in', values: ['awake', 'rest'] }],
    ['!=|', { operator: 'not in', values: ['awake', 'rest'] }],
  ])('translates the list operator %s', (operator, expected) => {
    expect(select({ operator, value: 'awake', values: ['awake', 'rest'] })).toEqual([
      { column: 'heartrate.source', ...expected },
    ]);
  });

  it.each([
    ['=~', 'awake|rest', { operator: 'in', values: ['awake', 'rest'] }],
    ['!~', 'awake', { operator: 'not in', values: ['awake'] }],
    ['=~', '.*wake.*', { operator: 'like', value: '%wake%' }],
  ])('translates the plain pattern %s %s', (operator, value, expected) => {
    expect(select({ operator, value })).toEqual([{ column: 'heartrate.source', ...expected }]);
  });

  it('passes other patterns on, for the backend to reject', () => {
    expect(select({ operator: '!~', value: '.*wake.*' })).toEqual([
      { column: 'heartrate.source', operator: '!~', value: '.*wake.*' },
    ]);
  });
});
