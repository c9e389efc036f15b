/** Bundles the host page into `target/browser/`. */
import { build } from 'esbuild';

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
