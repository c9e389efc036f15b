import { type BackendSrv, setBackendSrv } from '@grafana/runtime';

import { importDashboards } from './dashboards';

const LISTED = [
  { path: 'dashboards/oura-today.json', imported: false },
  { path: 'dashboards/oura-sleep.json', imported: true },
  { path: 'dashboards/oura-old.json', imported: false, removed: true },
];

function mockGrafana(post: jest.Mock) {
  setBackendSrv({ get: () => Promise.resolve(LISTED), post } as unknown as BackendSrv);
}

it('imports missing dashboards and returns the address of the first', async () => {
  const post = jest.fn().mockResolvedValue({});
  mockGrafana(post);

  expect(await importDashboards('a b')).toBe('/d/oura-today?var-datasource=a%20b');
  expect(post.mock.calls.map(([, { path, overwrite }]) => [path, overwrite])).toEqual([
    ['dashboards/oura-today.json', false],
  ]);
});

it('keeps a dashboard that exists, for example a provisioned one', async () => {
  mockGrafana(jest.fn().mockRejectedValue({ status: 412 }));
  await expect(importDashboards('oura')).resolves.toMatch('oura-today');
});

it('reports another failure', async () => {
  mockGrafana(jest.fn().mockRejectedValue({ status: 403 }));
  await expect(importDashboards('oura')).rejects.toEqual({ status: 403 });
});
