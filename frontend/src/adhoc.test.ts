import type { AdHocVariableFilter } from '@grafana/data';

import { listFilterKeys, selectFilters } from './adhoc';
import { SCHEMA } from './components/fixtures';

const on = (filter: Partial<AdHocVariableFilter>, metrics = ['heartrate.bpm']) =>
  selectFilters(metrics, [{ key: 'heartrate.source', operator: '=', value: 'awake', ...filter }]);

describe('the columns of ad-hoc filters', () => {
  const keys = listFilterKeys(SCHEMA).map(({ value }) => value);

  it('are those of tables with metrics, by their tables', () => {
    expect(keys).toEqual(['nights.average_hrv', 'nights.efficiency', 'heartrate.source']);
  });

  it('are neither moments nor what the store keeps for itself', () => {
    expect(keys).not.toContain('nights.time');
    expect(keys).not.toContain('nights.document');
  });
});

describe('an ad-hoc filter', () => {
  it('concerns the metrics of its table, and no others', () => {
    expect(on({})).toEqual([{ column: 'heartrate.source', operator: '=', value: 'awake' }]);
    expect(on({}, ['days.steps', 'heartrate.bpm'])).toHaveLength(1);
    expect(on({}, ['days.steps'])).toEqual([]);
  });

  it('without a table is left to the backend, and one that is not filled in yet is none', () => {
    expect(on({ key: 'source' })).toHaveLength(1);
    expect(on({ key: '' })).toEqual([]);
  });

  it('compares numbers as numbers', () => {
    expect(on({ key: 'heartrate.bpm', operator: '>', value: '60' })[0].value).toBe(60);
  });

  it.each([
    ['=|', { operator: 'in', values: ['awake', 'rest'] }],
    ['!=|', { operator: 'not in', values: ['awake', 'rest'] }],
  ])('of several values is a list: %s', (operator, expected) => {
    expect(on({ operator, value: 'awake', values: ['awake', 'rest'] })).toEqual([
      { column: 'heartrate.source', ...expected },
    ]);
  });

  it.each([
    ['=~', 'awake|rest', { operator: 'in', values: ['awake', 'rest'] }],
    ['!~', 'awake', { operator: 'not in', values: ['awake'] }],
    ['=~', '.*wake.*', { operator: 'like', value: '%wake%' }],
  ])('with a plain pattern is that without one: %s %s', (operator, value, expected) => {
    expect(on({ operator, value })).toEqual([{ column: 'heartrate.source', ...expected }]);
  });

  it('with any other pattern goes on as it is, to be refused rather than ignored', () => {
    expect(on({ operator: '!~', value: '.*wake.*' })).toEqual([
      { column: 'heartrate.source', operator: '!~', value: '.*wake.*' },
    ]);
  });
});
