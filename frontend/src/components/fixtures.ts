import type { CollectionStatus, Schema, Status } from '../types';

const plain = { unit: null, description: null };

/** A small schema for tests. */
export const SCHEMA: Schema = {
  specification: '1.43',
  timezone: 'UTC',
  series: [],
  macros: [
    {
      name: '__timeFilter',
      usage: '$__timeFilter(column)',
      description: 'restricts a time column to the range',
    },
  ],
  functions: [
    {
      name: 'median',
      usage: 'median(x)',
      description: 'median',
      example: 'SELECT median(score) FROM daily_sleep',
    },
  ],
  sqliteFunctions: ['coalesce'],
  metrics: [
    {
      name: 'nights.average_hrv',
      title: 'HRV',
      table: 'nights',
      unit: 'suffix: ms',
      description: 'Heart rate variability, asleep',
    },
    {
      name: 'nights.efficiency',
      title: 'Efficiency',
      table: 'nights',
      unit: 'percent',
      description: 'Time asleep of time in bed',
    },
    {
      name: 'heartrate.bpm',
      title: 'Heart rate',
      table: 'heartrate',
      unit: 'suffix: bpm',
      description: 'Heart rate',
    },
  ],
  annotations: [
    { name: 'workouts', description: 'Workouts, entered or detected' },
    { name: 'rest_mode', description: 'Periods in rest mode' },
  ],
  tables: [
    {
      name: 'nights',
      description: 'one row per night',
      columns: [
        { ...plain, name: 'average_hrv', type: 'integer', unit: 'suffix: ms' },
        { ...plain, name: 'efficiency', type: 'integer' },
        { ...plain, name: 'time', type: 'time' },
        { ...plain, name: 'document', type: 'integer' },
      ],
    },
    {
      name: 'heartrate',
      description: 'one row per reading',
      columns: [{ ...plain, name: 'source', type: 'string' }],
    },
  ],
};

const COLLECTION: CollectionStatus = {
  name: 'sleep',
  documents: 1_000_000,
  firstDay: '2024-01-02',
  lastDay: '2026-01-01',
  lastSync: '2026-01-01T00:00:00Z',
  state: 'ok',
  reason: null,
  summary: 'the last 30 days are complete',
};

/** The status of a connected data source without problems. */
export const STATUS: Status = {
  state: 'connected',
  reason: null,
  damage: null,
  disk: { freeBytes: 50 * 2 ** 30, requiredBytes: 2 ** 28, nearlyFull: false },
  scopes: [],
  sync: {
    running: false,
    percent: 100,
    run: 1,
    documents: 10,
    secondsLeft: null,
    lastSync: '2026-01-01T00:00:00Z',
    nextSync: null,
    failure: null,
  },
  specification: '1.43',
  specificationCheckedAt: null,
  collections: [
    COLLECTION,
    { ...COLLECTION, name: 'daily_spo2', documents: 700, firstDay: '2024-06-01' },
    { ...COLLECTION, name: 'workout', documents: 583, firstDay: '2023-11-26' },
  ],
};

type StatusPart = Partial<Omit<Status, 'collections' | 'sync'>> & {
  sync?: Partial<Status['sync']>;
  /** Fields of every collection. */
  collections?: Partial<CollectionStatus>;
};

/** Returns {@link STATUS} with other fields. */
export function statusWith({ collections, sync, ...part }: StatusPart): Status {
  return {
    ...STATUS,
    ...part,
    sync: { ...STATUS.sync, ...sync },
    collections: STATUS.collections.map((each) => ({ ...each, ...collections })),
  };
}

/** A status for each state of a connected data source, for the tests of texts and of looks. */
export const STATES: Record<string, Status> = {
  importing: statusWith({
    sync: { running: true, percent: 41.7, documents: 581_230, secondsLeft: 250 },
    collections: { state: 'waiting' },
  }),
  connected: STATUS,
  reconnect: statusWith({ state: 'reconnect_needed', reason: 'Oura rejected the stored login' }),
  scopes: statusWith({
    scopes: ['daily', 'heartrate'],
    collections: { state: 'scope_missing', reason: 'Oura did not grant spo2.' },
  }),
  membership: statusWith({
    collections: {
      state: 'membership_ended',
      reason: 'Oura membership inactive. Syncing resumes once it is renewed.',
    },
  }),
  failing: statusWith({ sync: { failure: 'the connection to Oura was interrupted' } }),
  disk: statusWith({
    disk: { freeBytes: 90 * 2 ** 20, requiredBytes: 2 ** 28, nearlyFull: true },
  }),
  damaged: statusWith({ damage: 'SQLite reported damaged pages' }),
};
