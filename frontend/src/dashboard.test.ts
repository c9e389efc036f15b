import { readFileSync } from 'fs';
import path from 'path';

import { COLLECTION_STATES } from './contract';

const DASHBOARD = path.join(__dirname, '../../provisioning/dashboards/oura-overview.json');

interface Override {
  matcher: { options: string };
  properties: Array<{ id: string; value: Array<{ options: Record<string, { text: string }> }> }>;
}

it('the overview dashboard labels every collection state', () => {
  const { panels } = JSON.parse(readFileSync(DASHBOARD, 'utf8'));
  const coverage = panels.find(({ title }: { title: string }) => title === 'Coverage');
  const overrides: Override[] = coverage.fieldConfig.overrides;
  const state = overrides.find(({ matcher }) => matcher.options === 'State');
  const mappings = state?.properties.find(({ id }) => id === 'mappings')?.value[0].options ?? {};

  const labels = Object.entries(mappings).map(([name, { text }]) => [name, text]);
  expect(Object.fromEntries(labels)).toEqual(COLLECTION_STATES);
});
