/** Runs every example of the SQL editor's gallery. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EXAMPLES } from '../src/sql/examples';
import { createDemo, send } from './world';

interface Result {
  frames?: Array<{ data: { values: unknown[][] } }>;
  error?: string;
}

test('every example returns rows', async () => {
  const uid = await createDemo();
  assert.ok(EXAMPLES.length >= 12);
  const now = Date.now();
  for (const { title, sql, format } of EXAMPLES) {
    const query = {
      refId: 'A',
      datasource: { type: 'ringside-oura-datasource', uid },
      queryType: 'sql',
      rawSql: sql,
      format,
      intervalMs: 3_600_000,
      maxDataPoints: 1000,
    };
    const response = await send('POST', '/api/ds/query', {
      from: String(now - 30 * 86_400_000),
      to: String(now),
      queries: [query],
    });
    const { results } = (await response.json()) as { results: { A: Result } };
    const { frames = [], error } = results.A;
    assert.equal(error, undefined, title);
    assert.ok(frames[0].data.values[0].length > 0, `${title} returns no rows`);
  }
});
