module.exports = {
  // Prettier configuration provided by Grafana scaffolding
  ...require('./.config/.prettierrc.js'),
  // The width of the repository: see rustfmt.toml.
  printWidth: 100,
};
