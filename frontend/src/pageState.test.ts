import { findStage, listProblems, summarize } from './pageState';
import type { CollectionStatus, Status } from './types';

const SLEEP: CollectionStatus = {
  name: 'sleep',
  documents: 1_000_000,
  firstDay: '2024-01-02',
  lastDay: '2026-01-01',
  lastSync: null,
  state: 'ok',
  reason: null,
  summary: '',
};

const STATUS: Status = {
  state: 'connected',
  reason: null,
  damage: null,
  scopes: [],
  sync: {
    running: false,
    percent: 100,
    run: 1,
    documents: 0,
    secondsLeft: null,
    lastSync: null,
    nextSync: null,
    failure: null,
  },
  specification: '1.43',
  specificationCheckedAt: null,
  collections: [
    SLEEP,
    { ...SLEEP, name: 'tag', documents: 583, firstDay: '2023-11-26' },
    { ...SLEEP, name: 'vo2_max', documents: 0, firstDay: null, lastDay: null, state: 'waiting' },
    { ...SLEEP, name: 'gone', documents: 0, firstDay: null, lastDay: null, state: 'removed' },
  ],
};

const RUNNING = { ...STATUS.sync, running: true };
const CURRENT = [SLEEP];

it('summarizes the collections that Oura offers', () => {
  expect(summarize(STATUS)).toBe(
    '2 of 3 collections up to date, 1,000,583 documents since 2023-11-26'
  );
  expect(summarize({ ...STATUS, collections: [] })).toBeUndefined();
});

it.each<[string, Partial<Status>, { hasCredentials?: boolean; finishing?: boolean }]>([
  ['not_set_up', { state: 'not_configured' }, { hasCredentials: false }],
  ['ready', { state: 'not_connected' }, {}],
  ['connecting', { state: 'not_connected' }, { finishing: true }],
  ['importing', { sync: RUNNING }, {}],
  ['connected', { sync: RUNNING, collections: CURRENT }, {}],
  ['connected', {}, {}],
  ['reconnect', { state: 'reconnect_needed' }, {}],
  ['damaged', { damage: 'x' }, {}],
])('finds the stage %s', (stage, part, context) => {
  const full = { hasCredentials: true, finishing: false, ...context };
  expect(findStage({ ...STATUS, ...part }, full)).toBe(stage);
});

it('lists problems, collections with the same problem together', () => {
  const missing = { state: 'scope_missing' as const, reason: 'not granted.' };
  const problems = listProblems({
    ...STATUS,
    reason: 'syncing is off',
    damage: 'bad pages',
    sync: { ...STATUS.sync, failure: 'the disk is full' },
    collections: [
      { ...SLEEP, ...missing },
      { ...SLEEP, ...missing, name: 'tag' },
    ],
  });
  expect(problems.map(({ title, details }) => [title, details])).toEqual([
    ['The database is damaged', 'bad pages'],
    ['Attention required', 'Syncing is off'],
    ['The last sync didn’t finish', 'The disk is full'],
    ['Permission missing: sleep, tag', 'Not granted.'],
  ]);
});

it('finds no problem in a healthy data source', () => {
  expect(listProblems(STATUS)).toEqual([]);
});
