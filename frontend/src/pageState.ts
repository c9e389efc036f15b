/** The state of a data source in one sentence, and its problems, for the configuration page. */
import { COLLECTION_STATES } from './contract';
import { capitalize, formatBytes, formatCount } from './format';
import { SCOPES } from './scopes';
import type { CollectionState, Status } from './types';

/** The stages of a data source. `stages.ts` has their texts and primary actions. */
export type Stage =
  | 'not_set_up'
  | 'ready'
  | 'connecting'
  | 'importing'
  | 'connected'
  | 'reconnect'
  | 'scopes'
  | 'membership'
  | 'failing'
  | 'disk'
  | 'damaged';

/** States in which a collection lacks data that it could have. */
const PROBLEMS: CollectionState[] = [
  'error',
  'scope_missing',
  'membership_ended',
  'forbidden',
  'app_too_old',
];

/** States of collections that Oura does not offer to this account. */
const NOT_OFFERED: CollectionState[] = ['not_available', 'removed'];

export interface Problem {
  severity: 'error' | 'warning';
  title: string;
  details?: string;
}

export interface PageContext {
  hasCredentials: boolean;
  finishing: boolean;
  /** The scopes to request, separated by spaces. Empty requests all. */
  requestedScopes?: string;
}

export function findStage(status: Status, context: PageContext): Stage {
  if (context.finishing) {
    return 'connecting';
  }
  if (status.damage) {
    return 'damaged';
  }
  switch (status.state) {
    case 'connected':
      return findConnectedStage(status, context);
    case 'reconnect_needed':
      return 'reconnect';
    default:
      return context.hasCredentials ? 'ready' : 'not_set_up';
  }
}

/** Finds the most urgent stage: one that stops syncs comes before one that lacks some data. */
function findConnectedStage(status: Status, { requestedScopes }: PageContext): Stage {
  const { sync, disk, collections } = status;
  const some = (wanted: CollectionState) => collections.some(({ state }) => state === wanted);
  if (disk?.nearlyFull) {
    return 'disk';
  }
  if (isImporting(status)) {
    return 'importing';
  }
  if (!sync.running && (sync.failure || some('error'))) {
    return 'failing';
  }
  if (some('membership_ended')) {
    return 'membership';
  }
  // A user who requests fewer scopes knows which collections stay empty.
  return some('scope_missing') && !requestedScopes ? 'scopes' : 'connected';
}

/** `19 of 19 collections up to date, 1,390,583 documents since 2023-11-26`. */
export function summarize({ collections }: Status): string | undefined {
  const { documents, firstDay } = measure({ collections });
  const offered = collections.filter(({ state }) => !NOT_OFFERED.includes(state));
  if (offered.length === 0) {
    return undefined;
  }
  const current = offered.filter(({ state }) => state === 'ok').length;
  const since = firstDay ? ` since ${firstDay}` : '';
  return (
    `${current} of ${formatCount(offered.length, 'collection')} up to date, ` +
    `${formatCount(documents, 'document')}${since}`
  );
}

/** The number of stored documents, and their first and last day. */
export function measure({ collections = [] }: Pick<Status, 'collections'>) {
  const days = (key: 'firstDay' | 'lastDay') =>
    collections.flatMap((collection) => collection[key] ?? []).sort();
  return {
    documents: collections.reduce((sum, { documents }) => sum + (documents || 0), 0),
    firstDay: days('firstDay').at(0),
    lastDay: days('lastDay').at(-1),
  };
}

/** Lists the problems, the most urgent first. Collections with the same problem share an entry. */
export function listProblems(status: Status): Problem[] {
  const { reason, damage, state, sync, disk, collections } = status;
  const problems: Problem[] = [];
  if (damage) {
    problems.push({ severity: 'error', title: 'The database is damaged', details: damage });
  }
  if (disk?.nearlyFull) {
    const details =
      `${formatBytes(disk.freeBytes)} are free, ${formatBytes(disk.requiredBytes)} should be. ` +
      'Free some space on the disk of the data folder. Stored data is intact.';
    problems.push({ severity: 'warning', title: 'The disk is nearly full', details });
  }
  if (reason) {
    const title = state === 'reconnect_needed' ? 'Reconnect to Oura' : 'Attention required';
    problems.push({ severity: 'warning', title, details: capitalize(reason) });
  }
  if (sync.failure && sync.failure !== reason) {
    const details = capitalize(sync.failure);
    problems.push({ severity: 'warning', title: 'The last sync didn’t finish', details });
  }
  for (const problem of PROBLEMS) {
    const affected = collections.filter(({ state }) => state === problem);
    if (affected.length > 0) {
      const reasons = new Set(affected.flatMap(({ reason }) => reason ?? []));
      problems.push({
        severity: problem === 'error' ? 'error' : 'warning',
        title: `${COLLECTION_STATES[problem]}: ${affected.map(({ name }) => name).join(', ')}`,
        details: Array.from(reasons, capitalize).join(' '),
      });
    }
  }
  return problems;
}

/** Lists the labels of permissions that were not granted. */
export function listMissingScopes({ scopes }: Status): string[] {
  return scopes.length === 0
    ? []
    : SCOPES.filter(({ scope }) => !scopes.includes(scope)).map(({ label }) => label);
}

/** Returns whether the first run fetches the history, or a later one a new collection. */
function isImporting({ sync, collections }: Status): boolean {
  const isFirst = sync.run === 1 || collections.length === 0;
  return sync.running && (isFirst || collections.some(({ state }) => state === 'waiting'));
}
