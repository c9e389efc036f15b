import { useCallback, useEffect, useState } from 'react';

import type { Resources } from '../resources';
import type { Status } from '../types';

const POLL_SYNCING_MS = 2_000;
const POLL_IDLE_MS = 20_000;

export interface StatusPoll {
  status?: Status;
  error?: Error;
  refresh: () => Promise<void>;
}

/**
 * Polls the backend's status: often while a sync runs, rarely otherwise, and immediately when
 * `version` changes. A failed request keeps the previous status.
 */
export function useStatus(resources: Resources, version?: number): StatusPoll {
  const [{ status, error }, setResult] = useState<Omit<StatusPoll, 'refresh'>>({});

  const refresh = useCallback(
    () =>
      resources.status().then(
        (status) => setResult({ status }),
        (error) => setResult(({ status }) => ({ status, error }))
      ),
    [resources]
  );

  useEffect(() => {
    refresh();
  }, [refresh, version]);

  useEffect(() => {
    const timer = setTimeout(refresh, status?.sync.running ? POLL_SYNCING_MS : POLL_IDLE_MS);
    return () => clearTimeout(timer);
  }, [refresh, status, error]);

  return { status, error, refresh };
}
