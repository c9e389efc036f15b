/** The redirect URI of a login, navigation to Oura, and downloads. */
import { config } from '@grafana/runtime';

export interface Redirect {
  /** The URI to register with Oura. */
  uri: string;
  /** Whether this browser opens Grafana there. If not, the user pastes the redirect URL. */
  returnsHere: boolean;
}

/**
 * Returns the redirect URI: this page as the browser sees it, sub-path included. Oura accepts
 * `http` only for `localhost` (it rejects `127.0.0.1`). For any other `http` address of Grafana the
 * URI uses `localhost` as its host.
 */
export function getRedirect(uid: string): Redirect {
  const { protocol, hostname, port, origin } = window.location;
  const returnsHere = protocol === 'https:' || hostname === 'localhost';
  const base = returnsHere ? origin : `http://localhost${port && `:${port}`}`;
  const page = `${config.appSubUrl ?? ''}/connections/datasources/edit/${uid}`;
  return { uri: `${base}${page}`, returnsHere };
}

/** Returns the address of the database as a SQLite file, for the browser's download. */
export function getExportUrl(uid: string): string {
  return `${config.appSubUrl ?? ''}/api/datasources/uid/${uid}/resources/export`;
}

export function navigateTo(url: string): void {
  window.location.assign(url);
}
