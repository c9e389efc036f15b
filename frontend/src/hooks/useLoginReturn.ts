import { locationService } from '@grafana/runtime';
import { useEffect, useState } from 'react';

import type { LoginAnswer, Resources } from '../resources';

/** What Oura's login appends to the address it comes back to: what the backend reads, and what else there may be (RFC 6749, RFC 9207). */
const ANSWER = ['code', 'state', 'error', 'error_description'] as const;
const REST = ['scope', 'iss', 'error_uri'];

export interface LoginReturn {
  finishing: boolean;
  problem?: Error;
}

/**
 * Finishes a login when the page was opened by Oura's redirect: takes the answer out of the address, so that it is neither
 * bookmarked nor used twice, and hands it to the backend, which knows what it means.
 */
export function useLoginReturn(resources: Resources, onConnected: () => void): LoginReturn {
  const [answer] = useState(readAnswer);
  const [outcome, setOutcome] = useState<LoginReturn>({ finishing: answer !== undefined });

  useEffect(() => {
    if (!answer) {
      return;
    }
    locationService.partial(Object.fromEntries([...ANSWER, ...REST].map((name) => [name, null])), true);
    resources.finishLogin(answer).then(
      () => {
        setOutcome({ finishing: false });
        onConnected();
      },
      (problem) => setOutcome({ finishing: false, problem })
    );
    // The answer can be used once only.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  return outcome;
}

function readAnswer(): LoginAnswer | undefined {
  const search = locationService.getSearch();
  const answer: LoginAnswer = Object.fromEntries(
    ANSWER.filter((name) => search.has(name)).map((name) => [name, search.get(name)])
  );
  return (answer.code && answer.state) || answer.error ? answer : undefined;
}
