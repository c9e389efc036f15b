import { useState } from 'react';

import type { LoginRedirect } from '../loginRedirect';
import { navigateTo, getRedirect } from '../navigation';
import type { Resources } from '../resources';
import { useLoginRedirect } from './useLoginRedirect';
import type { Settings } from './useSettings';
import type { StatusPoll } from './useStatus';

/** What a person does with the account, and how it went. */
export interface Connection {
  /** While connecting, syncing or disconnecting is asked for. */
  busy: boolean;
  /** While the backend redeems the answer of a login. */
  finishing: boolean;
  /** Of the last action, else of the login that came back, else of the status. */
  problem?: Error;
  /** Of a login that was begun and will not come back to this page by itself. */
  authorizeUrl?: string;
  /** Saves the settings and begins a login. */
  connect: () => Promise<void>;
  /** Hands over an answer that did not come by this page's address. */
  finish: (answer: LoginRedirect) => Promise<void>;
  sync: () => Promise<void>;
  disconnect: () => Promise<void>;
}

/** The login at Oura from beginning to end, and what else may be asked for. Every action ends what was said of the one before. */
export function useConnection(
  uid: string,
  resources: Resources,
  settings: Settings,
  poll: StatusPoll
): Connection {
  const login = useLoginRedirect(resources, poll.refresh);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Error>();
  const [authorizeUrl, setAuthorizeUrl] = useState<string>();

  const act = async (action: () => Promise<unknown>) => {
    setBusy(true);
    setProblem(undefined);
    login.forget();
    try {
      await action();
      await poll.refresh();
    } catch (error) {
      setProblem(error instanceof Error ? error : new Error(String(error)));
    } finally {
      setBusy(false);
    }
  };

  const begin = async () => {
    await settings.save();
    const { uri, returnsHere } = getRedirect(uid);
    const { authorizeUrl } = await resources.startLogin(uri);
    if (returnsHere) {
      navigateTo(authorizeUrl);
    } else {
      setAuthorizeUrl(authorizeUrl);
    }
  };

  const finish = async (answer: LoginRedirect) => {
    setAuthorizeUrl(undefined);
    setProblem(undefined);
    await login.finish(answer);
  };

  return {
    busy,
    finishing: login.finishing,
    problem: problem ?? login.problem ?? poll.problem,
    authorizeUrl,
    connect: () => act(begin),
    finish,
    sync: () => act(resources.sync),
    disconnect: () => act(resources.disconnect),
  };
}
