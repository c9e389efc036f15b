/** Reads the backend's status, also that of an older or newer backend. */
import type { Status } from './types';

const NO_SYNC: Status['sync'] = {
  running: false,
  percent: 0,
  run: null,
  documents: 0,
  secondsLeft: null,
  lastSync: null,
  nextSync: null,
  failure: null,
};

/** Fills missing fields. Throws an error for anything but a status. */
export function completeStatus(response: Partial<Status> | undefined): Status {
  if (typeof response?.state !== 'string') {
    throw new Error('Invalid status: update the plugin, and restart Grafana');
  }
  const { sync, collections, scopes, disk } = response;
  return {
    reason: null,
    damage: null,
    specification: '',
    specificationCheckedAt: null,
    ...response,
    state: response.state,
    scopes: Array.isArray(scopes) ? scopes : [],
    collections: Array.isArray(collections) ? collections : [],
    disk: typeof disk?.freeBytes === 'number' ? disk : null,
    sync: { ...NO_SYNC, ...sync },
  };
}
