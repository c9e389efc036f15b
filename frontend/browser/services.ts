/** Grafana's services, as far as the plugin uses them. */
import type { BackendSrv, DataSourceSrv, TemplateSrv } from '@grafana/runtime';
import { from } from 'rxjs';

async function request(options: any): Promise<any> {
  const { url, method = 'GET', data, headers, params } = options;
  const query = params ? `?${new URLSearchParams(params)}` : '';
  const response = await fetch(url + query, {
    method,
    headers: { ...headers, ...(data && { 'Content-Type': 'application/json' }) },
    body: data && JSON.stringify(data),
  });
  const text = await response.text();
  let body;
  try {
    body = text ? JSON.parse(text) : undefined;
  } catch {
    body = { message: 'Invalid JSON' };
    if (response.ok) {
      throw { status: response.status, statusText: 'Invalid JSON', data: body, config: options };
    }
  }
  if (!response.ok) {
    const { status, statusText } = response;
    throw { status, statusText, data: body ?? {}, config: options };
  }
  return { data: body, status: response.status, ok: true, config: options };
}

const call = (method: string) => async (url: string, data?: unknown) =>
  (await request({ method, url, data })).data;

export const backend = {
  fetch: (options: any) => from(request(options)),
  get: call('GET'),
  put: call('PUT'),
  post: call('POST'),
} as unknown as BackendSrv;

export const dataSources = {
  getInstanceSettings: (ref?: object) => ref && { ...ref, id: 1, rawRef: ref },
  getList: () => [],
} as unknown as DataSourceSrv;

/** The dashboard has one variable with two values, to test the way they are quoted. */
const VARIABLE = { name: 'activity', multi: true, value: ['walking', "Ann's run"] };

export const variables = {
  getVariables: () => [VARIABLE],
  containsTemplate: (text?: string) => Boolean(text?.includes('$activity')),
  updateTimeRange: () => {},
  replace: (text = '', _scoped?: object, format?: any) =>
    text.replaceAll(/\$\{?activity\}?/g, () =>
      typeof format === 'function' ? format(VARIABLE.value, VARIABLE) : VARIABLE.value.join(',')
    ),
} as unknown as TemplateSrv;
