import type { DataSourceInstanceSettings } from '@grafana/data';
import {
  type BackendSrv,
  type BackendSrvRequest,
  type TemplateSrv,
  setBackendSrv,
  setTemplateSrv,
} from '@grafana/runtime';
import { of } from 'rxjs';

import { SCHEMA } from './components/fixtures';
import { OuraDataSource } from './datasource';
import {
  DEFAULT_METRICS,
  DEFAULT_SQL,
  type Filter,
  type OuraOptions,
  type OuraQuery,
} from './types';

const AWAKE = { key: 'heartrate.source', operator: '=', value: 'awake' };

function setUp() {
  const fetch = jest.fn(({ method }: BackendSrvRequest) =>
    of({ data: method === 'GET' ? SCHEMA : { rows: [['awake'], [7]] } })
  );
  setBackendSrv({ fetch } as unknown as BackendSrv);
  return {
    datasource: new OuraDataSource({ uid: 'oura' } as DataSourceInstanceSettings<OuraOptions>),
    fetch,
  };
}

beforeAll(() => setTemplateSrv({ replace: (text: string) => text } as unknown as TemplateSrv));

describe('ad-hoc filters', () => {
  it('offer columns and their values', async () => {
    const { datasource, fetch } = setUp();

    expect(await datasource.getTagKeys()).toContainEqual(
      expect.objectContaining({ value: 'heartrate.source' })
    );
    expect(await datasource.getTagValues({ key: 'heartrate.source', filters: [] })).toEqual([
      { text: 'awake', value: 'awake' },
      { text: '7', value: '7' },
    ]);
    expect(fetch.mock.lastCall?.[0].data.sql).toBe(
      'SELECT DISTINCT "source" FROM "heartrate" WHERE "source" IS NOT NULL ORDER BY 1 LIMIT 100'
    );
  });

  it('offer no values without a column', async () => {
    expect(await setUp().datasource.getTagValues({ key: '', filters: [] })).toEqual([]);
  });

  it("are added to a metrics query's own filters", () => {
    const own = { column: 'bpm', operator: '>' as const, value: 60 };
    const query = {
      ...DEFAULT_METRICS,
      refId: 'A',
      queryType: 'metrics' as const,
      metrics: ['heartrate.bpm'],
      filters: [own],
    };

    expect(setUp().datasource.applyTemplateVariables(query, {}, [AWAKE]).filters).toEqual([
      own,
      { column: 'heartrate.source', operator: '=', value: 'awake' },
    ]);
  });

  it('do not change SQL', () => {
    const query = { ...DEFAULT_SQL, refId: 'A', queryType: 'sql' as const };

    expect(setUp().datasource.applyTemplateVariables(query, {}, [AWAKE])).toEqual(query);
  });
});

describe('variables in a metrics query', () => {
  const VALUES: Record<string, string> = { $every: 'week', $days: '7', $text: "Ann's run" };

  beforeAll(() =>
    setTemplateSrv({
      replace: (text: string, _: unknown, format: (value: string) => string) =>
        text in VALUES ? format(VALUES[text]) : text,
    } as unknown as TemplateSrv)
  );

  const sent = (part: Partial<OuraQuery>) =>
    setUp().datasource.applyTemplateVariables(
      { ...DEFAULT_METRICS, refId: 'A', queryType: 'metrics', ...part },
      {}
    );

  it('are replaced in the step', () => {
    expect(sent({ every: '$every' }).every).toBe('week');
  });

  it.each(['shift', 'baseline', 'movingAverage'] as const)('are replaced in %s', (name) => {
    expect(sent({ [name]: '$days' })[name]).toBe('7');
    expect(sent({ [name]: 28 })[name]).toBe(28);
    expect(sent({ [name]: undefined })[name]).toBe(0);
  });

  it('are replaced in the shift of a single metric', () => {
    const lastWeek = { name: 'days.steps', shift: '$days' };
    expect(sent({ metrics: [lastWeek] }).metrics).toEqual([{ ...lastWeek, shift: '7' }]);
  });

  it('leave out a filter without a value', () => {
    const complete = { column: 'bpm', operator: 'is null' as const };
    const filters: Filter[] = [
      complete,
      { column: 'bpm', operator: '=' },
      { column: 'bpm', operator: 'in', values: [] },
    ];
    expect(sent({ filters }).filters).toEqual([complete]);
  });

  it('stay a value in a filter, quotes included', () => {
    const filter = { column: 'activity', operator: '=' as const, value: '$text' };
    expect(sent({ filters: [filter] }).filters).toEqual([{ ...filter, value: "Ann's run" }]);
  });
});

it.each([
  ["it's", 'auto', 0],
  ['', 'auto', 0],
  ['no such step', 'auto', 0],
  ['0d', 'auto', 0],
  ['28', 'auto', '28'],
  ['-1', 'auto', '-1'],
  ['6h', '6h', 0],
])('falls back when the URL sets a variable to %p', (value, every, shift) => {
  setTemplateSrv({
    replace: (text: string, _: unknown, format: (value: string) => string) =>
      text === '$any' ? format(value) : text,
  } as unknown as TemplateSrv);
  const variable = { every: '$any', shift: '$any' };
  const query = { ...DEFAULT_METRICS, refId: 'A', queryType: 'metrics' as const, ...variable };

  expect(setUp().datasource.applyTemplateVariables(query, {})).toMatchObject({ every, shift });
});
