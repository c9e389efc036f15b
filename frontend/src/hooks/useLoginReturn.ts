import { locationService } from '@grafana/runtime';
import { useEffect, useState } from 'react';

import { ResourceError, type Resources } from '../resources';

/** What Oura's login puts into the address it comes back to (RFC 6749 §4.1.2, RFC 9207). */
const PARAMETERS = ['code', 'state', 'scope', 'iss', 'error', 'error_description', 'error_uri'];

/** RFC 6749 §4.1.2.1; whatever is not here is shown as Oura says it. */
const REFUSALS: Record<string, { message: string; hint: string }> = {
  access_denied: {
    message: 'Oura was not allowed to share the data.',
    hint: 'Press Connect again and choose Accept on the page that Oura shows.',
  },
  invalid_scope: {
    message: 'Oura does not know one of the permissions asked for.',
    hint: 'Tick the same permissions here as in the application at Oura.',
  },
  server_error: { message: "Oura's login failed.", hint: 'Try again in a few minutes.' },
  temporarily_unavailable: { message: "Oura's login is not available now.", hint: 'Try again in a few minutes.' },
};

interface LoginAnswer {
  code: string | null;
  state: string | null;
  error: string | null;
  description: string | null;
}

export interface LoginReturn {
  finishing: boolean;
  problem?: Error;
}

/**
 * Finishes a login when the page was opened by Oura's redirect: takes the answer out of the address, so that it is neither
 * bookmarked nor used twice, and hands it to the backend.
 */
export function useLoginReturn(resources: Resources, onConnected: () => void): LoginReturn {
  const [answer] = useState(readAnswer);
  const [outcome, setOutcome] = useState<LoginReturn>({ finishing: answer !== undefined });

  useEffect(() => {
    if (!answer) {
      return;
    }
    locationService.partial(Object.fromEntries(PARAMETERS.map((name) => [name, null])), true);
    finish(resources, answer).then(
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
  const answer = {
    code: search.get('code'),
    state: search.get('state'),
    error: search.get('error'),
    description: search.get('error_description'),
  };
  return (answer.code && answer.state) || answer.error ? answer : undefined;
}

async function finish(resources: Resources, { code, state, error, description }: LoginAnswer): Promise<void> {
  if (error) {
    const refusal = REFUSALS[error] ?? { message: description ?? `Oura refused the login: ${error}.`, hint: undefined };
    throw new ResourceError(refusal.message, error, refusal.hint);
  }
  await resources.finishLogin(code ?? '', state ?? '');
}
