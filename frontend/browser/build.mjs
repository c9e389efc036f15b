/** Bundles the host page into `target/browser/`, and the journeys for Node. */
import { build } from 'esbuild';
import { readdirSync, rmSync } from 'node:fs';

await build({
  entryPoints: ['browser/host.tsx'],
  outdir: '../target/browser/host',
  bundle: true,
  minify: true,
  format: 'iife',
  loader: { '.ttf': 'dataurl', '.svg': 'dataurl', '.woff': 'dataurl', '.woff2': 'dataurl' },
  // Bundled packages must not register with the AMD loader, which is there for the plugin.
  define: { 'process.env.NODE_ENV': '"production"', 'define.amd': 'false' },
  logLevel: 'error',
});

// Node resolves packages from here.
const outdir = 'node_modules/.cache/browser';
rmSync(outdir, { recursive: true, force: true });
const journeys = readdirSync('browser').filter((file) => file.endsWith('.test.ts'));
await build({
  entryPoints: journeys.map((file) => `browser/${file}`),
  outdir,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  packages: 'external',
  sourcemap: 'inline',
  logLevel: 'error',
});
