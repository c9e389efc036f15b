import { useCallback, useEffect, useState } from 'react';

import type { Resources } from '../resources';
import type { Status } from '../types';

const POLL_SYNCING_MS = 2_000;
const POLL_IDLE_MS = 20_000;

export interface StatusPoll {
  status?: Status;
  problem?: Error;
  refresh: () => Promise<void>;
}

/** The backend's status, asked again at once when `version` changes, often while a sync runs, and seldom otherwise. */
export function useStatus(resources: Resources, version?: number): StatusPoll {
  const [{ status, problem }, setAnswer] = useState<Omit<StatusPoll, 'refresh'>>({});

  const refresh = useCallback(
    () =>
      resources.status().then(
        (status) => setAnswer({ status }),
        (problem) => setAnswer(({ status }) => ({ status, problem }))
      ),
    [resources]
  );

  useEffect(() => {
    refresh();
  }, [refresh, version]);

  useEffect(() => {
    const timer = setTimeout(refresh, status?.sync.running ? POLL_SYNCING_MS : POLL_IDLE_MS);
    return () => clearTimeout(timer);
  }, [refresh, status, problem]);

  return { status, problem, refresh };
}
