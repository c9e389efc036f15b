import {
  type DataFrame,
  type DataQueryRequest,
  type DataSourceInstanceSettings,
  FieldType,
  type ScopedVars,
  toDataFrame,
} from '@grafana/data';
import {
  type BackendSrv,
  type BackendSrvRequest,
  type TemplateSrv,
  setBackendSrv,
  setTemplateSrv,
} from '@grafana/runtime';
import { lastValueFrom, of } from 'rxjs';

import { SCHEMA } from './components/fixtures';
import { OuraDataSource } from './datasource';
import type { OuraOptions, OuraQuery } from './types';
import { readOptions } from './variables';

/** Replaces scoped variables like Grafana's template service. */
const replace = (
  text: string,
  vars: ScopedVars,
  format: (value: unknown, variable: object) => string
) =>
  text.replace(/\$(\w+)/g, (written, name) =>
    name in vars ? format(vars[name]!.value, {}) : written
  );

/** Requests a variable's options. Returns the query that reached the backend, and the options. */
async function request(target: Partial<OuraQuery>, scopedVars: ScopedVars = {}) {
  const fetch = jest.fn((request: BackendSrvRequest) =>
    of({ data: request.url.endsWith('/schema') ? SCHEMA : { results: {} } })
  );
  setBackendSrv({ fetch } as unknown as BackendSrv);
  setTemplateSrv({ replace } as unknown as TemplateSrv);
  const { variables } = new OuraDataSource({
    uid: 'oura',
  } as DataSourceInstanceSettings<OuraOptions>);
  const targets = [{ refId: 'A', ...target }];
  const call = { scopedVars, targets } as unknown as DataQueryRequest<OuraQuery>;
  const { data } = await lastValueFrom(variables.query(call));
  const sent: OuraQuery | undefined = fetch.mock.lastCall?.[0].data?.queries[0];
  return { sent, frames: data as DataFrame[] };
}

/** Returns the SQL that reaches the backend while `typed` is in the variable's list. */
async function sentSql(rawSql: string, typed?: string) {
  const scopedVars = typed ? { __searchFilter: { text: typed, value: typed } } : {};
  return (await request({ rawSql }, scopedVars)).sent?.rawSql;
}

describe("text typed into a variable's list", () => {
  const SEARCHED = "SELECT DISTINCT activity FROM workout WHERE activity LIKE '$__searchFilter'";

  it('becomes a LIKE pattern', async () => {
    expect(await sentSql(SEARCHED, 'run')).toMatch(/LIKE 'run%'$/);
  });

  it('has its quotes escaped', async () => {
    expect(await sentSql(SEARCHED, "it's")).toMatch(/LIKE 'it''s%'$/);
  });

  it('matches every value while it is empty', async () => {
    expect(await sentSql(SEARCHED)).toMatch(/LIKE '%'$/);
  });

  it('does not change a query without $__searchFilter', async () => {
    expect(await sentSql('SELECT $__timeFrom', 'run')).toBe('SELECT $__timeFrom');
  });
});

describe('the options of a result', () => {
  const frame = (fields: Record<string, unknown[]>, type = FieldType.string) =>
    toDataFrame({
      fields: Object.entries(fields).map(([name, values]) => ({ name, type, values })),
    });
  const walking = { text: 'Walking', value: 'walking' };

  it.each([
    [
      '__text and __value',
      frame({ id: ['1'], __value: ['walking'], __text: ['Walking'] }),
      [walking],
    ],
    ['text and value', frame({ text: ['Walking'], value: ['walking'] }), [walking]],
    ['__text alone', frame({ id: ['1'], __text: ['walking'] }), ['walking']],
    ['the first column', frame({ activity: ['walking'], n: ['2'] }), ['walking']],
    ['numbers', frame({ year: [2025, 2026] }, FieldType.number), ['2025', '2026']],
    ['times', frame({ day: [0] }, FieldType.time), ['1970-01-01T00:00:00.000Z']],
    ['no NULL, and each value once', frame({ a: ['x', null, 'x', 'y'] }), ['x', 'y']],
    ['a value for a NULL text', frame({ __text: [null], __value: ['x'] }), ['x']],
    ['no columns', toDataFrame({ fields: [] }), []],
  ])('are %s', (_, frame, expected) => {
    const options = expected.map((each) =>
      typeof each === 'string' ? { text: each, value: each } : each
    );
    expect(readOptions(frame)).toEqual(options);
  });
});

it('the values of a column are read with quoted names', async () => {
  const source = { type: 'values', table: 'work"out', column: 'activity' } as const;
  expect((await request({ options: source, rawSql: 'SELECT 1' })).sent?.rawSql).toBe(
    'SELECT DISTINCT "activity" FROM "work""out" ' +
      'WHERE "activity" IS NOT NULL ORDER BY 1 LIMIT 100'
  );
});

it.each([
  ['Heart', ['heartrate.bpm']],
  [undefined, ['nights.average_hrv', 'nights.efficiency', 'heartrate.bpm']],
])('the metrics of the group %s are options', async (group, names) => {
  const [{ fields }] = (await request({ options: { type: 'metrics', group } })).frames;
  expect(fields.map(({ name }) => name)).toEqual(['text', 'value']);
  expect(fields[1].values).toEqual(names);
});
