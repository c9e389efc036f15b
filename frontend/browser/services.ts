/** Grafana's services, as far as the plugin uses them. */
import type { ScopedVars } from '@grafana/data';
import type {
  BackendSrv,
  BackendSrvRequest,
  DataSourceSrv,
  FetchError,
  FetchResponse,
  TemplateSrv,
} from '@grafana/runtime';
import { from } from 'rxjs';

import { VARIABLES, type Variable } from './variables';

/** Requests an address of Grafana, relative to the page's base as Grafana does. */
async function request<T>(options: BackendSrvRequest): Promise<FetchResponse<T>> {
  const { url, method = 'GET', data, headers, params } = options;
  const query = params ? `?${new URLSearchParams(params as Record<string, string>)}` : '';
  const response = await fetch(url.replace(/^\//, '') + query, {
    method,
    headers: { ...headers, ...(data && { 'Content-Type': 'application/json' }) },
    body: data && JSON.stringify(data),
  });
  const { status, statusText, ok, redirected, type } = response;
  const fail = (body: unknown, statusText: string): FetchError => ({
    status,
    statusText,
    data: body ?? {},
    config: options,
  });
  const text = await response.text();
  let body: T;
  try {
    body = text ? JSON.parse(text) : undefined;
  } catch {
    throw fail({ message: 'Invalid JSON' }, ok ? 'Invalid JSON' : statusText);
  }
  if (!ok) {
    throw fail(body, statusText);
  }
  const { headers: received, url: address } = response;
  return {
    data: body,
    status,
    statusText,
    ok,
    redirected,
    type,
    headers: received,
    url: address,
    config: options,
  };
}

const call =
  (method: string) =>
  async <T>(url: string, data?: unknown): Promise<T> =>
    (await request<T>({ method, url, data })).data;

export const backend = {
  fetch: <T>(options: BackendSrvRequest) => from(request<T>(options)),
  get: call('GET'),
  put: call('PUT'),
  post: call('POST'),
} as unknown as BackendSrv;

export const dataSources = {
  getInstanceSettings: (ref?: object) => ref && { ...ref, id: 1, rawRef: ref },
  getList: () => [],
} as unknown as DataSourceSrv;

type Format = (value: unknown, variable: object) => string;

/** Replaces `$name`, `${name}` and `${name:format}`, also for values of the request. */
function replace(text = '', scoped: ScopedVars = {}, format?: string | Format): string {
  return text.replaceAll(/\$\{(\w+)(?::\w+)?\}|\$(\w+)/g, (written, braced, bare) => {
    const name: string = braced ?? bare;
    const variable: Variable | undefined =
      name in scoped
        ? { name, value: scoped[name]?.value }
        : VARIABLES.find((each) => each.name === name);
    if (!variable) {
      return written;
    }
    return typeof format === 'function'
      ? format(variable.value, variable)
      : [variable.value].flat().join(',');
  });
}

export const variables = {
  getVariables: () => VARIABLES,
  containsTemplate: (text?: string) => VARIABLES.some(({ name }) => text?.includes(`$${name}`)),
  updateTimeRange: () => {},
  replace,
} as unknown as TemplateSrv;
