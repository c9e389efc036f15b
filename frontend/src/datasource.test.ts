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
import { DEFAULT_METRICS, DEFAULT_SQL, type OuraOptions } from './types';

const AWAKE = { key: 'heartrate.source', operator: '=', value: 'awake' };

function datasource() {
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
  it('are offered by column, and by the values that the column has', async () => {
    const { datasource: oura, fetch } = datasource();

    expect(await oura.getTagKeys()).toContainEqual(
      expect.objectContaining({ value: 'heartrate.source' })
    );
    expect(await oura.getTagValues({ key: 'heartrate.source', filters: [] })).toEqual([
      { text: 'awake', value: 'awake' },
      { text: '7', value: '7' },
    ]);
    expect(fetch.mock.lastCall?.[0].data.sql).toBe(
      'SELECT DISTINCT "source" FROM "heartrate" WHERE "source" IS NOT NULL ORDER BY 1 LIMIT 100'
    );
  });

  it('have no values while no column is named', async () => {
    expect(await datasource().datasource.getTagValues({ key: '', filters: [] })).toEqual([]);
  });

  it("stand beside a metrics query's own", () => {
    const own = { column: 'bpm', operator: '>' as const, value: 60 };
    const query = {
      ...DEFAULT_METRICS,
      refId: 'A',
      queryType: 'metrics' as const,
      metrics: ['heartrate.bpm'],
      filters: [own],
    };

    expect(datasource().datasource.applyTemplateVariables(query, {}, [AWAKE]).filters).toEqual([
      own,
      { column: 'heartrate.source', operator: '=', value: 'awake' },
    ]);
  });

  it('leave SQL alone', () => {
    const query = { ...DEFAULT_SQL, refId: 'A', queryType: 'sql' as const };

    expect(datasource().datasource.applyTemplateVariables(query, {}, [AWAKE])).toEqual(query);
  });
});
