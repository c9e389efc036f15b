/** What Oura's login appends to the address it sends a person back to (RFC 6749 §4.1.2). */

import type { LoginCallback } from './contract';

/** What the backend reads: `code` and `state`, or `error`. */
export const LOGIN_PARAMETERS: Array<keyof LoginCallback> = [
  'code',
  'state',
  'error',
  'error_description',
];

/** What else there may be (RFC 6749, RFC 9207). */
export const OTHER_PARAMETERS = ['scope', 'iss', 'error_uri'];

export type LoginRedirect = LoginCallback;

/** The answer among the parameters of an address, when there is one. */
export function parseRedirectParameters(parameters: URLSearchParams): LoginRedirect | undefined {
  const answer: LoginRedirect = Object.fromEntries(
    LOGIN_PARAMETERS.filter((name) => parameters.has(name)).map((name) => [
      name,
      parameters.get(name),
    ])
  );
  return (answer.code && answer.state) || answer.error ? answer : undefined;
}

/** The answer in an address as a person copies it: whole, without its scheme, or what follows the question mark alone. */
export function parseRedirectUrl(text: string): LoginRedirect | undefined {
  const [, parameters] = /(?:^|\?)([^?#]*)(?:#.*)?$/.exec(text.trim()) ?? [];
  return parseRedirectParameters(new URLSearchParams(parameters));
}
