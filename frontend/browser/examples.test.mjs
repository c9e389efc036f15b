/** Runs every example of the SQL editor's gallery. */
import assert from 'node:assert/strict';
import { build } from 'esbuild';
import { after, test } from 'node:test';

import { browser, createDemo, origin } from './world.mjs';

after(() => browser.close());

test('every example returns rows', async () => {
  const uid = await createDemo();
  const { outputFiles } = await build({
    entryPoints: ['src/sql/examples.ts'],
    bundle: true,
    format: 'esm',
    write: false,
  });
  const code = Buffer.from(outputFiles[0].contents).toString('base64');
  const { EXAMPLES } = await import(`data:text/javascript;base64,${code}`);
  assert.ok(EXAMPLES.length >= 12);

  const now = Date.now();
  for (const { title, sql, format } of EXAMPLES) {
    const response = await fetch(`${origin}/api/ds/query`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({
        from: String(now - 30 * 86_400_000),
        to: String(now),
        queries: [
          {
            refId: 'A',
            datasource: { type: 'ringside-oura-datasource', uid },
            queryType: 'sql',
            rawSql: sql,
            format,
            intervalMs: 3_600_000,
            maxDataPoints: 1000,
          },
        ],
      }),
    });
    const { results } = await response.json();
    const { frames = [], error } = results.A;
    assert.equal(error, undefined, title);
    assert.ok(frames[0].data.values[0].length > 0, `${title} returns no rows`);
  }
});
