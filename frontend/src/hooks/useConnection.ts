import { type FetchError, locationService } from '@grafana/runtime';
import { useState } from 'react';

import { importDashboards } from '../dashboards';
import type { LoginRedirect } from '../loginRedirect';
import { getRedirect, navigateTo } from '../navigation';
import type { Resources } from '../resources';
import { isAdmin } from '../user';
import { useLoginRedirect } from './useLoginRedirect';
import type { Settings } from './useSettings';
import type { StatusPoll } from './useStatus';

/** The user's actions on the connection to Oura, and their outcome. */
export interface Connection {
  /** While a request to connect, sync or disconnect runs. */
  busy: boolean;
  /** Whether the user may change the connection. */
  isAllowed: boolean;
  /** Whether changes have to wait: during a request and a login, and for a user without the role. */
  disabled: boolean;
  /** While the backend finishes a login. */
  finishing: boolean;
  /** The error of the last action, else of the finished login, else of the status. */
  error?: Error;
  /** Oura's login page, set while a started login can't redirect to this page. */
  authorizeUrl?: string;
  /** Saves the settings and starts a login. */
  connect: () => Promise<void>;
  /** Finishes a login with the parameters of a pasted redirect URL. */
  finish: (redirect: LoginRedirect) => Promise<void>;
  sync: () => Promise<void>;
  disconnect: () => Promise<void>;
  /** Sets a damaged database aside and fetches everything again. */
  repair: () => Promise<void>;
  /** Deletes the stored data and the login. */
  deleteData: () => Promise<void>;
  /** Requests the status again. */
  check: () => Promise<void>;
  /** Saves the settings with demo data on or off. */
  setDemo: (demo: boolean) => Promise<void>;
  /** Imports missing dashboards and opens the first. */
  openDashboards: () => Promise<void>;
}

/** Connects, syncs and disconnects. Each action clears the error of the previous one. */
export function useConnection(
  uid: string,
  resources: Resources,
  settings: Settings,
  poll: StatusPoll
): Connection {
  const login = useLoginRedirect(resources, poll.refresh);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error>();
  const [authorizeUrl, setAuthorizeUrl] = useState<string>();

  const run = async (action: () => Promise<unknown>) => {
    setBusy(true);
    setError(undefined);
    login.clearError();
    try {
      await action();
      await poll.refresh();
    } catch (error) {
      setError(toError(error));
    } finally {
      setBusy(false);
    }
  };

  const startLogin = async () => {
    await settings.save();
    const { uri, returnsHere } = getRedirect(uid);
    const { authorizeUrl } = await resources.startLogin(uri);
    if (returnsHere) {
      navigateTo(authorizeUrl);
    } else {
      setAuthorizeUrl(authorizeUrl);
    }
  };

  const finish = async (redirect: LoginRedirect) => {
    setAuthorizeUrl(undefined);
    setError(undefined);
    await login.finish(redirect);
  };

  const isAllowed = isAdmin();
  return {
    busy,
    isAllowed,
    disabled: busy || login.finishing || !isAllowed,
    finishing: login.finishing,
    error: error ?? login.error ?? poll.error,
    authorizeUrl,
    connect: () => run(startLogin),
    finish,
    sync: () => run(resources.sync),
    disconnect: () => run(resources.disconnect),
    repair: () => run(resources.repair),
    deleteData: () => run(resources.deleteData),
    check: () => run(async () => {}),
    setDemo: (demo) => run(() => settings.save({ demo })),
    openDashboards: () => run(async () => locationService.push(await importDashboards(uid))),
  };
}

/** Reads the message of an error. Grafana's client throws objects that are not an `Error`. */
function toError(error: unknown): Error {
  if (error instanceof Error) {
    return error;
  }
  const { data, statusText } = (error ?? {}) as Partial<FetchError>;
  return new Error(data?.message || statusText || String(error));
}
