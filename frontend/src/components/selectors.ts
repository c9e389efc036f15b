/** What tests hold on to. */
export const selectors = {
  config: {
    demo: 'oura-demo',
    redirect: 'oura-redirect',
    clientId: 'oura-client-id',
    clientSecret: 'oura-client-secret',
    connect: 'oura-connect',
    disconnect: 'oura-disconnect',
    sync: 'oura-sync',
    state: 'oura-state',
    progress: 'oura-progress',
    collections: 'oura-collections',
    timezone: 'oura-timezone',
    interval: 'oura-interval',
    historyStart: 'oura-history-start',
    scopes: 'oura-scopes',
  },
  query: {
    sql: 'oura-sql',
    format: 'oura-format',
    run: 'oura-run',
    reference: 'oura-reference',
  },
};
