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

/** Grafana's: the scoped variables of a text through the format. */
const replace = (
  text: string,
  vars: ScopedVars,
  format: (value: unknown, variable: object) => string
) =>
  text.replace(/\$(\w+)/g, (written, name) =>
    name in vars ? format(vars[name]!.value, {}) : written
  );

/** The SQL that reaches the backend while `searchFilter` is typed. */
async function asked(rawSql: string, searchFilter?: string) {
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

describe('what is typed into the list of a variable', () => {
  const SEARCHED = "SELECT DISTINCT activity FROM workout WHERE activity LIKE '$__searchFilter'";

  it('is a pattern in its query', async () => {
    expect(await asked(SEARCHED, 'run')).toMatch(/LIKE 'run%'$/);
  });

  it('cannot end its literal', async () => {
    expect(await asked(SEARCHED, "it's")).toMatch(/LIKE 'it''s%'$/);
  });

  it('keeps everything while nothing is typed', async () => {
    expect(await asked(SEARCHED)).toMatch(/LIKE '%'$/);
  });

  it('changes no query that does not ask for it', async () => {
    expect(await asked('SELECT $__timeFrom', 'run')).toBe('SELECT $__timeFrom');
  });
});
