import type { DataQueryRequest, DataSourceInstanceSettings, ScopedVars } from '@grafana/data';
import {
  type BackendSrv,
  type BackendSrvRequest,
  type TemplateSrv,
  setBackendSrv,
  setTemplateSrv,
} from '@grafana/runtime';
import { lastValueFrom, of } from 'rxjs';

import { OuraDataSource } from './datasource';
import type { OuraOptions, OuraQuery } from './types';

/** Replaces scoped variables like Grafana's template service. */
const replace = (
  text: string,
  vars: ScopedVars,
  format: (value: unknown, variable: object) => string
) =>
  text.replace(/\$(\w+)/g, (written, name) =>
    name in vars ? format(vars[name]!.value, {}) : written
  );

/** Returns the SQL that reaches the backend while `searchFilter` is typed. */
async function sentSql(rawSql: string, searchFilter?: string) {
  const fetch = jest.fn((_request: BackendSrvRequest) => of({ data: { results: {} } }));
  setBackendSrv({ fetch } as unknown as BackendSrv);
  setTemplateSrv({ replace } as unknown as TemplateSrv);
  const { variables } = new OuraDataSource({
    uid: 'oura',
  } as DataSourceInstanceSettings<OuraOptions>);
  const scopedVars = searchFilter
    ? { __searchFilter: { text: searchFilter, value: searchFilter } }
    : {};
  const request = {
    scopedVars,
    targets: [{ refId: 'A', rawSql }],
  } as unknown as DataQueryRequest<OuraQuery>;
  await lastValueFrom(variables.query(request));
  return fetch.mock.lastCall?.[0].data.queries[0].rawSql;
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
