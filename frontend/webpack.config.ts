/*
 * create-plugin's configuration for this repository's layout: plugin.json, the dashboards, the
 * documents and `dist/` are in the top folder. The backend's binary goes to `dist/` too.
 */
import CopyWebpackPlugin from 'copy-webpack-plugin';
import path from 'path';
import ReplaceInFileWebpackPlugin from 'replace-in-file-webpack-plugin';
import type { Configuration } from 'webpack';

import { getPackageJson } from './.config/bundler/utils.ts';
import grafanaConfig, { type Env } from './.config/webpack/webpack.config.ts';

const top = path.resolve(process.cwd(), '..');
const dist = path.join(top, 'dist');

const copies = new CopyWebpackPlugin({
  patterns: [
    { from: path.join(top, 'plugin.json') },
    { from: path.join(top, 'LICENSE') },
    { from: path.join(top, 'CHANGELOG.md') },
    { from: path.join(top, 'README.md'), noErrorOnMissing: true },
    { from: path.join(top, 'provisioning/dashboards/*.json'), to: 'dashboards/[name][ext]' },
    { from: path.join(top, 'provisioning/alerting/*.yaml'), to: 'alerting/[name][ext]' },
    { from: 'img', to: 'img' },
    { from: path.join(top, 'docs'), to: 'docs' },
    { from: path.join(top, 'skills'), to: 'skills' },
    { from: path.join(top, 'packaging/schema/*.json'), to: 'schema/[name][ext]' },
  ],
});

const versions = new ReplaceInFileWebpackPlugin([
  {
    dir: dist,
    files: ['plugin.json'],
    rules: [
      { search: /%VERSION%/g, replace: getPackageJson().version },
      { search: /%TODAY%/g, replace: new Date().toISOString().substring(0, 10) },
    ],
  },
]);

const config = async (env: Env): Promise<Configuration> => {
  const base = await grafanaConfig(env);
  const replaced = [CopyWebpackPlugin, ReplaceInFileWebpackPlugin];

  return {
    ...base,
    output: { ...base.output, path: dist },
    plugins: [
      ...(base.plugins ?? []).filter((plugin) => !replaced.some((kind) => plugin instanceof kind)),
      copies,
      versions,
    ],
  };
};

export default config;
