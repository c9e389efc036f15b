import { type BackendSrv, setBackendSrv } from '@grafana/runtime';
import { render, screen } from '@testing-library/react';
import React from 'react';
import { throwError } from 'rxjs';

import { Resources } from '../resources';
import { ErrorAlert } from './ErrorAlert';

/** Returns the alert for a failed request. */
async function alertAfter(failure: unknown) {
  setBackendSrv({ fetch: () => throwError(() => failure) } as unknown as BackendSrv);
  const error = await new Resources('oura').status().catch((error: Error) => error);
  render(<ErrorAlert error={error as Error} />);
  return screen.getByRole('alert');
}

describe('ErrorAlert', () => {
  it('shows the message and the hint', async () => {
    const error = {
      code: 'expired_state',
      message: 'the login took too long',
      hint: 'Press Connect again.',
    };
    const alert = await alertAfter({ status: 400, data: { error } });
    expect(alert).toHaveTextContent('The login took too long');
    expect(alert).toHaveTextContent('Press Connect again.');
  });

  it('shows a message without a hint', async () => {
    const error = { code: 'request', message: 'the request cannot be read', hint: '' };
    expect(await alertAfter({ status: 400, data: { error } })).toHaveTextContent(
      /^The request cannot be read$/
    );
  });

  it("shows Grafana's message if the plugin can't be reached", async () => {
    const failure = {
      status: 500,
      statusText: 'Internal Server Error',
      data: { message: 'Plugin unavailable' },
    };
    expect(await alertAfter(failure)).toHaveTextContent('Plugin unavailable');
  });

  it('shows the status of a response without a message', async () => {
    expect(await alertAfter({ status: 502, statusText: '', data: {} })).toHaveTextContent(
      'Request failed with status 502.'
    );
  });

  it("shows the browser's error", async () => {
    expect(await alertAfter(new Error('Failed to fetch'))).toHaveTextContent('Failed to fetch');
  });

  it('shows nothing without an error', () => {
    const { container } = render(<ErrorAlert />);
    expect(container).toBeEmptyDOMElement();
  });
});
