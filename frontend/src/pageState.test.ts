import { STATES, STATUS, statusWith } from './components/fixtures';
import { type PageContext, type Stage, findStage, listProblems, summarize } from './pageState';
import { STAGES } from './stages';
import type { Status } from './types';

const CONTEXT: PageContext = { hasCredentials: true, finishing: false };

it('summarizes the collections that Oura offers', () => {
  const [sleep, spo2, workout] = STATUS.collections;
  const collections: Status['collections'] = [
    sleep,
    workout,
    { ...spo2, documents: 0, firstDay: null, state: 'waiting' },
    { ...spo2, documents: 0, firstDay: null, state: 'removed' },
  ];
  expect(summarize({ ...STATUS, collections })).toBe(
    '2 of 3 collections up to date, 1,000,583 documents since 2023-11-26'
  );
  expect(summarize({ ...STATUS, collections: [] })).toBeUndefined();
});

it.each(Object.entries(STATES))('finds the stage %s', (stage, status) => {
  expect(findStage(status, CONTEXT)).toBe(stage);
});

it.each<[Stage, Partial<Status>, Partial<PageContext>]>([
  ['not_set_up', { state: 'not_configured' }, { hasCredentials: false }],
  ['ready', { state: 'not_connected' }, {}],
  ['connecting', { state: 'not_connected' }, { finishing: true }],
  ['importing', { sync: { ...STATUS.sync, running: true, run: 1 } }, {}],
  ['connected', { sync: { ...STATUS.sync, running: true, run: 2 } }, {}],
  ['failing', statusWith({ collections: { state: 'error' } }), {}],
  ['connected', STATES.scopes, { requestedScopes: 'daily heartrate' }],
  ['disk', { ...STATES.failing, disk: STATES.disk.disk }, {}],
  ['damaged', { ...STATES.disk, damage: 'x' }, {}],
  ['reconnect', { ...STATES.disk, state: 'reconnect_needed' }, {}],
])('finds the stage %s among others', (stage, part, context) => {
  expect(findStage({ ...STATUS, ...part }, { ...CONTEXT, ...context })).toBe(stage);
});

it('has one sentence for each stage', () => {
  for (const { describe } of Object.values(STAGES)) {
    expect(describe(STATUS)).toMatch(/^[A-Z\d].*[^.]$/);
  }
});

it('lists problems, collections with the same problem together', () => {
  const problems = listProblems({
    ...STATES.scopes,
    reason: 'syncing is off',
    damage: 'bad pages',
    disk: STATES.disk.disk,
    sync: { ...STATUS.sync, failure: 'the disk is full' },
  });
  expect(problems.map(({ title, details }) => [title, details])).toEqual([
    ['The database is damaged', 'bad pages'],
    [
      'The disk is nearly full',
      '90 MiB are free, 256 MiB should be. ' +
        'Free some space on the disk of the data folder. Stored data is intact.',
    ],
    ['Attention required', 'Syncing is off'],
    ['The last sync didn’t finish', 'The disk is full'],
    ['Permission missing: sleep, daily_spo2, workout', 'Oura did not grant spo2.'],
  ]);
});

it('finds no problem in a healthy data source', () => {
  expect(listProblems(STATUS)).toEqual([]);
});
