import { completeQuery } from './savedQuery';
import { DEFAULT_QUERY, type OuraQuery } from './types';

const complete = (saved: object) => completeQuery({ refId: 'A', ...saved } as OuraQuery);

it.each([[{}], [{ queryType: '' }]])('runs a new query as its editor shows it: %j', (saved) => {
  expect(complete(saved)).toMatchObject({ metrics: DEFAULT_QUERY.metrics });
});

it('leaves a query of version 0.1.0 alone', () => {
  const sql = { rawSql: 'SELECT 1', format: 'table', queryType: 'sql', note: 'mine' };
  expect(complete(sql)).toEqual({ refId: 'A', ...sql });
  expect(complete({ rawSql: '' })).toEqual({ refId: 'A', rawSql: '' });
});

it('keeps variables in numbers of days', () => {
  const days = { shift: '$compare', movingAverage: '$smooth', baseline: '$usual' };
  expect(complete({ queryType: 'metrics', ...days })).toMatchObject(days);
});

it('leaves out fields of the wrong type', () => {
  const broken = {
    queryType: 'metrics',
    metrics: ['a.b', 7, null, { name: 'c.d' }, {}],
    filters: [null, { column: 'x', operator: '=' }, 'x'],
    every: 60,
    movingAverage: [],
  };
  expect(complete(broken)).toEqual({
    refId: 'A',
    queryType: 'metrics',
    metrics: ['a.b', { name: 'c.d' }],
    filters: [{ column: 'x', operator: '=' }],
  });
});

it.each(['x', 7, [], {}, { type: 'values', table: 'days' }, { type: 'metrics', group: 7 }])(
  'leaves out the invalid source %j of a variable',
  (options) => {
    expect(complete({ rawSql: 'SELECT 1', options })).not.toHaveProperty('options');
  }
);

it.each([
  { type: 'values', table: 'days', column: 'steps' },
  { type: 'metrics', group: 'Heart' },
  { type: 'metrics' },
])('keeps the source %j of a variable', (options) => {
  expect(complete({ rawSql: 'SELECT 1', options })).toHaveProperty('options', options);
});
