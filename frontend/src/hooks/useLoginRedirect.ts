import { locationService } from '@grafana/runtime';
import { useEffect, useState } from 'react';

import {
  LOGIN_PARAMETERS,
  OTHER_PARAMETERS,
  type LoginRedirect,
  parseRedirectParameters,
} from '../loginRedirect';
import type { Resources } from '../resources';

export interface LoginRedirectState {
  finishing: boolean;
  problem?: Error;
  /** Hands the backend an answer that did not come by this page's address. */
  finish: (answer: LoginRedirect) => Promise<void>;
  /** Of a problem that was read. */
  forget: () => void;
}

/**
 * Finishes a login when the page was opened by Oura's redirect: takes the answer out of the address, so that it is neither
 * bookmarked nor used twice, and hands it to the backend, which knows what it means.
 */
export function useLoginRedirect(
  resources: Resources,
  onConnected: () => void
): LoginRedirectState {
  const [answer] = useState(() => parseRedirectParameters(locationService.getSearch()));
  const [outcome, setOutcome] = useState<Pick<LoginRedirectState, 'finishing' | 'problem'>>({
    finishing: answer !== undefined,
  });

  const handOver = (answer: LoginRedirect) =>
    resources.finishLogin(answer).then(
      () => {
        setOutcome({ finishing: false });
        onConnected();
      },
      (problem) => setOutcome({ finishing: false, problem })
    );

  const finish = (answer: LoginRedirect) => {
    setOutcome({ finishing: true });
    return handOver(answer);
  };

  useEffect(() => {
    if (answer) {
      locationService.partial(
        Object.fromEntries([...LOGIN_PARAMETERS, ...OTHER_PARAMETERS].map((name) => [name, null])),
        true
      );
      handOver(answer);
    }
    // The answer can be used once only.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  return { ...outcome, finish, forget: () => setOutcome(({ finishing }) => ({ finishing })) };
}
