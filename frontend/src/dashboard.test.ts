import { readFileSync } from 'fs';
import path from 'path';

import { COLLECTION_STATES, GAP_REASONS } from './contract';

const DASHBOARD = path.join(__dirname, '../../provisioning/dashboards/oura-data.json');

interface Override {
  matcher: { options: string };
  properties: Array<{ id: string; value: Array<{ options: Record<string, { text: string }> }> }>;
}

/** Returns the labels of values in a column of a panel of the dashboard "Oura data". */
function columnLabels(panelTitle: string, column: string): Record<string, string> {
  const { panels } = JSON.parse(readFileSync(DASHBOARD, 'utf8'));
  const panel = panels.find(({ title }: { title: string }) => title === panelTitle);
  const overrides: Override[] = panel.fieldConfig.overrides;
  const override = overrides.find(({ matcher }) => matcher.options === column);
  const mappings = override?.properties.find(({ id }) => id === 'mappings')?.value[0].options ?? {};
  return Object.fromEntries(Object.entries(mappings).map(([name, { text }]) => [name, text]));
}

it('the data dashboard labels every collection state', () => {
  expect(columnLabels('Collections', 'State')).toEqual(COLLECTION_STATES);
});

it('the data dashboard labels every reason for missing data', () => {
  expect(columnLabels('Gaps', 'Why')).toEqual(GAP_REASONS);
});
