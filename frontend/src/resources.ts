/** The backend's resource routes of one data source. Speaks HTTP, knows nothing of components. */
import { type FetchError, getBackendSrv, isFetchError } from '@grafana/runtime';
import { lastValueFrom } from 'rxjs';

import type { LoginStart, SyncStart } from './contract';
import type { LoginRedirect } from './loginRedirect';
import type { Schema, Status } from './types';

/** What the backend says about a request it refused. */
export class ResourceError extends Error {
  constructor(
    message: string,
    /** A stable word, such as `expired_state`. */
    readonly code?: string,
    /** What a person can do about it. */
    readonly hint?: string
  ) {
    super(message);
  }
}

/** Grafana keeps a data source's settings for some seconds; a login started right after saving needs the new ones. */
const FRESH_SETTINGS = { 'X-Grafana-NoCache': 'true' };

export class Resources {
  constructor(private readonly uid: string) {}

  status = () => this.call<Status>('GET', 'status');
  schema = () => this.call<Schema>('GET', 'schema');
  startLogin = (redirectUri: string) =>
    this.call<LoginStart>('POST', 'oauth/start', { redirectUri });
  finishLogin = (answer: LoginRedirect) => this.call<void>('POST', 'oauth/callback', answer);
  disconnect = () => this.call<void>('POST', 'oauth/disconnect', {});
  /** Rows as arrays, of a SELECT over all of time. */
  sql = (sql: string) => this.call<{ rows: unknown[][] }>('POST', 'sql', { sql });
  sync = () => this.call<SyncStart>('POST', 'sync', {});

  private async call<T>(method: 'GET' | 'POST', path: string, data?: unknown): Promise<T> {
    const url = `/api/datasources/uid/${this.uid}/resources/${path}`;
    try {
      const request = { method, url, data, headers: FRESH_SETTINGS, showErrorAlert: false };
      const answer = await lastValueFrom(getBackendSrv().fetch<T>(request));
      return answer.data;
    } catch (error) {
      throw isFetchError(error) ? toResourceError(error) : error;
    }
  }
}

/** The backend answers `{"error": {code, message, hint}}`; Grafana itself, when the plugin is not reached, `{"message"}`. */
function toResourceError({ data, status, statusText }: FetchError): ResourceError {
  const error = data?.error;
  if (typeof error === 'object' && error !== null) {
    return new ResourceError(error.message, error.code, error.hint);
  }
  return new ResourceError(
    data?.message || statusText || `The request failed with status ${status}.`
  );
}
