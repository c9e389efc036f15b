import { type BackendSrv, setBackendSrv } from '@grafana/runtime';
import { render, screen } from '@testing-library/react';
import React from 'react';
import { throwError } from 'rxjs';

import { Resources } from '../resources';
import { ErrorAlert } from './ErrorAlert';

/** The alert after a route answered so, or was not reached. */
async function alertAfter(failure: unknown) {
  setBackendSrv({ fetch: () => throwError(() => failure) } as unknown as BackendSrv);
  const problem = await new Resources('oura').status().catch((problem: Error) => problem);
  render(<ErrorAlert problem={problem as Error} />);
  return screen.getByRole('alert');
}

describe('a problem', () => {
  it('is told with its remedy', async () => {
    const error = {
      code: 'expired_state',
      message: 'the login took too long',
      hint: 'Press Connect again.',
    };
    const alert = await alertAfter({ status: 400, data: { error } });
    expect(alert).toHaveTextContent('The login took too long');
    expect(alert).toHaveTextContent('Press Connect again.');
  });

  it('may have no remedy', async () => {
    const error = { code: 'request', message: 'the request cannot be read', hint: '' };
    expect(await alertAfter({ status: 400, data: { error } })).toHaveTextContent(
      /^The request cannot be read$/
    );
  });

  it('is told as Grafana tells it when the plugin was not reached', async () => {
    const failure = {
      status: 500,
      statusText: 'Internal Server Error',
      data: { message: 'Plugin unavailable' },
    };
    expect(await alertAfter(failure)).toHaveTextContent('Plugin unavailable');
  });

  it('without a word has its status', async () => {
    expect(await alertAfter({ status: 502, statusText: '', data: {} })).toHaveTextContent(
      'The request failed with status 502.'
    );
  });

  it('of the browser is told as the browser tells it', async () => {
    expect(await alertAfter(new Error('Failed to fetch'))).toHaveTextContent('Failed to fetch');
  });

  it('that is none shows nothing', () => {
    const { container } = render(<ErrorAlert />);
    expect(container).toBeEmptyDOMElement();
  });
});
