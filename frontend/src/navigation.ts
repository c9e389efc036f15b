/** Where Oura sends a person back to: the configuration page itself. */
import { config } from '@grafana/runtime';

/** The address to register with Oura, as the browser sees Grafana, sub-path included. */
export function redirectUri(uid: string): string {
  return `${window.location.origin}${config.appSubUrl ?? ''}/connections/datasources/edit/${uid}`;
}

/** Oura takes `http` for `localhost` only; `127.0.0.1` counts as any other host. */
export function isAcceptedByOura(uri: string): boolean {
  const { protocol, hostname } = new URL(uri);
  return protocol === 'https:' || hostname === 'localhost';
}

export function leaveFor(url: string): void {
  window.location.assign(url);
}
