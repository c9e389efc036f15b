import { locationService } from '@grafana/runtime';
import { useEffect, useState } from 'react';

import {
  LOGIN_PARAMETERS,
  OTHER_PARAMETERS,
  type LoginRedirect,
  parseRedirectParameters,
} from '../loginRedirect';
import type { Resources } from '../resources';

export interface LoginOutcome {
  /** While the backend finishes a login. */
  finishing: boolean;
  error?: Error;
}

export interface LoginRedirectHandler extends LoginOutcome {
  /** Finishes a login with the parameters of a pasted redirect URL. */
  finish: (redirect: LoginRedirect) => Promise<void>;
  clearError: () => void;
}

/**
 * Finishes a login when Oura's redirect opened the page. Removes the parameters from the page's URL
 * first, so that a bookmark or a reload does not send the one-time code again.
 */
export function useLoginRedirect(
  resources: Resources,
  onConnected: () => void
): LoginRedirectHandler {
  const [redirect] = useState(() => parseRedirectParameters(locationService.getSearch()));
  const [outcome, setOutcome] = useState<LoginOutcome>({ finishing: redirect !== undefined });

  const submit = (redirect: LoginRedirect) =>
    resources.finishLogin(redirect).then(
      () => {
        setOutcome({ finishing: false });
        onConnected();
      },
      (error) => setOutcome({ finishing: false, error })
    );

  const finish = (redirect: LoginRedirect) => {
    setOutcome({ finishing: true });
    return submit(redirect);
  };

  useEffect(() => {
    if (redirect) {
      const names = [...LOGIN_PARAMETERS, ...OTHER_PARAMETERS];
      locationService.partial(Object.fromEntries(names.map((name) => [name, null])), true);
      submit(redirect);
    }
    // The code is valid once: run only after the first render.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  const clearError = () => setOutcome(({ finishing }) => ({ finishing }));

  return { ...outcome, finish, clearError };
}
