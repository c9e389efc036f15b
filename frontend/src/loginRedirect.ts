/** The parameters that Oura's login appends to the redirect URI (RFC 6749 §4.1.2). */

import type { LoginCallback } from './contract';

/** The parameters that the backend reads: `code` and `state`, or `error`. */
export const LOGIN_PARAMETERS: Array<keyof LoginCallback> = [
  'code',
  'state',
  'error',
  'error_description',
];

/** Further parameters that a login can append (RFC 6749, RFC 9207). */
export const OTHER_PARAMETERS = ['scope', 'iss', 'error_uri'];

export type LoginRedirect = LoginCallback;

/** Reads the login's parameters. Returns `undefined` without a code and state, or an error. */
export function parseRedirectParameters(parameters: URLSearchParams): LoginRedirect | undefined {
  const redirect: LoginRedirect = Object.fromEntries(
    LOGIN_PARAMETERS.filter((name) => parameters.has(name)).map((name) => [
      name,
      parameters.get(name),
    ])
  );
  return (redirect.code && redirect.state) || redirect.error ? redirect : undefined;
}

/** Parses a pasted URL. Accepts it complete, without its scheme, or only its query string. */
export function parseRedirectUrl(text: string): LoginRedirect | undefined {
  const [, parameters] = /(?:^|\?)([^?#]*)(?:#.*)?$/.exec(text.trim()) ?? [];
  return parseRedirectParameters(new URLSearchParams(parameters));
}
