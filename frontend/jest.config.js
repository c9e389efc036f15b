// Makes tests independent of the local time zone.
process.env.TZ = 'UTC';

const grafanaConfig = require('./.config/jest.config');
const [swc] = Object.values(grafanaConfig.transform);

module.exports = {
  // Jest configuration provided by Grafana scaffolding
  ...grafanaConfig,
  // Grafana's lists can take seconds to open on a busy machine.
  testTimeout: 30_000,
  // d3-color is published as .mjs only.
  transform: { ...grafanaConfig.transform, '^.+\\.mjs$': swc },
};
