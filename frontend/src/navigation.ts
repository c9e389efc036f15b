/** Where Oura sends a person back to: the configuration page itself, or, where Oura refuses it, an address that stands for it. */
import { config } from '@grafana/runtime';

/** The address to register with Oura. */
export interface Redirect {
  uri: string;
  /** Whether it leads to Grafana as this browser sees it. Otherwise its answer has to be pasted. */
  returnsHere: boolean;
}

/**
 * This page as the browser sees it, sub-path included. Oura takes `http` for `localhost` only (`127.0.0.1` counts as any other host):
 * a Grafana under another `http` address is stood for by the same address on `localhost`.
 */
export function getRedirect(uid: string): Redirect {
  const { protocol, hostname, port, origin } = window.location;
  const returnsHere = protocol === 'https:' || hostname === 'localhost';
  const base = returnsHere ? origin : `http://localhost${port && `:${port}`}`;
  return {
    uri: `${base}${config.appSubUrl ?? ''}/connections/datasources/edit/${uid}`,
    returnsHere,
  };
}

export function navigateTo(url: string): void {
  window.location.assign(url);
}
