// force timezone to UTC to allow tests to work regardless of local timezone
// generally used by snapshots, but can affect specific tests
process.env.TZ = 'UTC';

const grafanaConfig = require('./.config/jest.config');
const [swc] = Object.values(grafanaConfig.transform);

module.exports = {
  // Jest configuration provided by Grafana scaffolding
  ...grafanaConfig,
  // Grafana's lists take seconds to open on a busy machine.
  testTimeout: 30_000,
  // d3-color ships its only build as .mjs
  transform: { ...grafanaConfig.transform, '^.+\\.mjs$': swc },
};
