/** Client for the backend's resource routes of one data source. */
import { type FetchError, getBackendSrv, isFetchError } from '@grafana/runtime';
import { lastValueFrom } from 'rxjs';

import type { LoginStart, SyncStart } from './contract';
import type { LoginRedirect } from './loginRedirect';
import { completeSchema } from './schema';
import { completeStatus } from './status';
import type { Schema, Status } from './types';

/** An error response of the backend. */
export class ResourceError extends Error {
  constructor(
    message: string,
    /** A stable identifier, such as `expired_state`. */
    readonly code?: string,
    /** How the user can resolve the error. */
    readonly hint?: string
  ) {
    super(message);
  }
}

/**
 * Grafana caches a data source's settings for some seconds. A login that starts right after saving
 * needs the new ones.
 */
const NO_SETTINGS_CACHE = { 'X-Grafana-NoCache': 'true' };

export class Resources {
  constructor(private readonly uid: string) {}

  status = async () => completeStatus(await this.call<Partial<Status>>('GET', 'status'));
  schema = async () => completeSchema(await this.call<Partial<Schema>>('GET', 'schema'));
  startLogin = (redirectUri: string) =>
    this.call<LoginStart>('POST', 'oauth/start', { redirectUri });
  finishLogin = (redirect: LoginRedirect) => this.call<void>('POST', 'oauth/callback', redirect);
  disconnect = () => this.call<void>('POST', 'oauth/disconnect', {});
  /** Runs a SELECT without a time range. Returns rows as arrays. */
  sql = (sql: string) => this.call<{ rows: unknown[][] }>('POST', 'sql', { sql });
  deleteData = () => this.call<void>('POST', 'data/delete', { confirm: this.uid });
  repair = () => this.call<void>('POST', 'data/repair', {});
  sync = () => this.call<SyncStart>('POST', 'sync', {});

  private async call<T>(method: 'GET' | 'POST', path: string, data?: unknown): Promise<T> {
    const url = `/api/datasources/uid/${this.uid}/resources/${path}`;
    const request = { method, url, data, headers: NO_SETTINGS_CACHE, showErrorAlert: false };
    try {
      const response = await lastValueFrom(getBackendSrv().fetch<T>(request));
      return checkObject(response.data);
    } catch (error) {
      throw isFetchError(error) ? toResourceError(error) : error;
    }
  }
}

/** Rejects half a response: every route returns a JSON object, or nothing. */
function checkObject<T>(data: T): T {
  if (typeof data === 'string' && data !== '') {
    throw new ResourceError('Incomplete response of the plugin', 'invalid_response', RETRY);
  }
  return data;
}

const RETRY = 'Reload the page. If the error stays, check the log of Grafana for this plugin.';

/**
 * Reads the backend's `{"error": {code, message, hint}}`. If Grafana can't reach the plugin, it
 * responds with `{"message"}` itself.
 */
function toResourceError({ data, status, statusText }: FetchError): ResourceError {
  const error = data?.error;
  if (typeof error === 'object' && error !== null) {
    return new ResourceError(error.message, error.code, error.hint);
  }
  return new ResourceError(data?.message || statusText || `Request failed with status ${status}.`);
}
