import type { DataSourceSettings } from '@grafana/data';
import {
  type BackendSrv,
  type BackendSrvRequest,
  config as grafana,
  locationService,
  setBackendSrv,
} from '@grafana/runtime';
import { act, fireEvent, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React, { useState } from 'react';
import { NEVER, of, throwError } from 'rxjs';

import { navigateTo, getRedirect } from '../navigation';
import { SCOPES } from '../scopes';
import type { OuraOptions, OuraSecrets, Status } from '../types';
import { ConfigEditor } from './ConfigEditor';
import { STATES, STATUS, statusWith } from './fixtures';
import { selectors } from './selectors';

jest.mock('../navigation', () => ({
  ...jest.requireActual('../navigation'),
  getRedirect: jest.fn(),
  navigateTo: jest.fn(),
}));

type Options = DataSourceSettings<OuraOptions, OuraSecrets>;

const PAGE = '/connections/datasources/edit/oura';
const RESOURCES = '/api/datasources/uid/oura/resources';

const { config } = selectors;

const OPTIONS = {
  uid: 'oura',
  version: 1,
  readOnly: false,
  jsonData: { clientId: 'id', timezone: 'Europe/Helsinki' },
  secureJsonFields: { clientSecret: true },
} as unknown as Options;

const NOT_CONNECTED: Status = {
  ...statusWith({ state: 'not_connected', sync: { lastSync: null } }),
  collections: [],
};

const [SLEEP] = STATUS.collections;

const SYNCING: Status = {
  ...statusWith({
    sync: { running: true, percent: 41.7, documents: 1234, secondsLeft: 250, lastSync: null },
  }),
  collections: [
    { ...SLEEP, firstDay: '2023-01-01', lastDay: '2025-12-31' },
    {
      ...SLEEP,
      name: 'daily_spo2',
      documents: 0,
      firstDay: null,
      lastDay: null,
      state: 'scope_missing',
      reason: 'Oura was not asked for spo2.',
    },
  ],
};

/** Mocks the backend with responses by `METHOD path`. Records the requests. */
function backend(responses: Record<string, unknown>) {
  const fetch = jest.fn(({ method = 'GET', url }: BackendSrvRequest) => {
    const response = responses[`${method} ${url.replace(RESOURCES, '')}`];
    return response instanceof ErrorResponse ? throwError(() => response) : of({ data: response });
  });
  const put = jest.fn((_url: string, options: Options) =>
    Promise.resolve({
      datasource: { ...options, version: 2, secureJsonFields: { clientSecret: true } },
    })
  );
  setBackendSrv({ fetch, put } as unknown as BackendSrv);

  const posted = (path: string) =>
    fetch.mock.calls.filter(([r]) => r.url === RESOURCES + path).map(([r]) => r.data);
  const headers = (path: string) =>
    fetch.mock.calls.find(([r]) => r.url === RESOURCES + path)?.[0].headers;
  return { posted, headers, put };
}

/** An error response as Grafana's client throws it. */
class ErrorResponse {
  constructor(
    readonly status: number,
    readonly data: unknown
  ) {}
}

function Page({ options = OPTIONS }: { options?: Options }) {
  const [current, setCurrent] = useState(options);
  return <ConfigEditor options={current} onOptionsChange={setCurrent} />;
}

/** Grafana's button with a tooltip stays focusable while it is disabled. */
const isDisabled = (id: string) => {
  const button = screen.getByTestId(id);
  return button.hasAttribute('disabled') || button.getAttribute('aria-disabled') === 'true';
};

const currentUrl = () =>
  locationService.getLocation().pathname + locationService.getLocation().search;

beforeEach(() => {
  grafana.appSubUrl = '/sub';
  locationService.push(PAGE);
  jest.mocked(navigateTo).mockClear();
  jest.mocked(getRedirect).mockReturnValue({ uri: `http://localhost${PAGE}`, returnsHere: true });
});

describe('connecting', () => {
  it("opens Oura's login with this page as redirect URI", async () => {
    const { posted, put } = backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/start': {
        authorizeUrl: 'https://oura.example/authorize',
        expiresAt: '2026-01-01T00:10:00Z',
      },
    });
    render(<Page />);

    await userEvent.click(await screen.findByText('Connect'));

    await waitFor(() => expect(navigateTo).toHaveBeenCalledWith('https://oura.example/authorize'));
    expect(posted('/oauth/start')).toEqual([{ redirectUri: `http://localhost${PAGE}` }]);
    expect(put).not.toHaveBeenCalled();
  });

  it('saves changed settings first and skips their cache', async () => {
    const { headers, put } = backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/start': {
        authorizeUrl: 'https://oura.example/authorize',
        expiresAt: '2026-01-01T00:10:00Z',
      },
    });
    render(<Page />);

    fireEvent.change(await screen.findByTestId(config.clientId), { target: { value: 'another' } });
    await userEvent.click(await screen.findByText('Save and connect'));

    await waitFor(() => expect(navigateTo).toHaveBeenCalled());
    expect(put.mock.calls[0][1].jsonData.clientId).toBe('another');
    expect(headers('/oauth/start')).toEqual({ 'X-Grafana-NoCache': 'true' });
  });

  it('requires a client ID and a client secret', async () => {
    backend({ 'GET /status': { ...NOT_CONNECTED, state: 'not_configured' } });
    render(<Page options={{ ...OPTIONS, secureJsonFields: {} }} />);

    await screen.findByText('Not configured');
    expect(screen.getByTestId(config.connect)).toHaveAttribute('aria-disabled', 'true');

    fireEvent.change(screen.getByTestId(config.clientSecret), { target: { value: 'secret' } });
    expect(screen.getByTestId(config.connect)).not.toHaveAttribute('aria-disabled', 'true');
  });

  it("shows the backend's error and hint", async () => {
    backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/start': new ErrorResponse(403, {
        error: {
          code: 'forbidden',
          message: 'Only administrators can connect.',
          hint: 'Ask an administrator of this organization.',
        },
      }),
    });
    render(<Page />);

    await userEvent.click(await screen.findByText('Connect'));

    expect(await screen.findByText('Only administrators can connect.')).toBeInTheDocument();
    expect(screen.getByText('Ask an administrator of this organization.')).toBeInTheDocument();
    expect(navigateTo).not.toHaveBeenCalled();
  });
});

describe("the redirect from Oura's login", () => {
  it('sends code and state and removes them from the URL', async () => {
    locationService.push(`${PAGE}?code=c0de&state=st4te&scope=daily&page=settings`);
    const { posted } = backend({
      'GET /status': STATUS,
      'POST /oauth/callback': { state: 'connected' },
    });
    render(<Page />);

    expect(await screen.findByText('Connected')).toBeInTheDocument();
    expect(posted('/oauth/callback')).toEqual([{ code: 'c0de', state: 'st4te' }]);
    expect(currentUrl()).toBe(`${PAGE}?page=settings`);
  });

  it('uses a code once', async () => {
    locationService.push(`${PAGE}?code=c0de&state=st4te`);
    const { posted } = backend({
      'GET /status': SYNCING,
      'POST /oauth/callback': { state: 'connected' },
    });
    const { unmount } = render(<Page />);
    await screen.findByTestId(config.sync);
    unmount();
    render(<Page />);

    await screen.findByTestId(config.sync);
    expect(posted('/oauth/callback')).toHaveLength(1);
  });

  it('shows why a login failed', async () => {
    locationService.push(`${PAGE}?code=c0de&state=0ld`);
    backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/callback': new ErrorResponse(400, {
        error: {
          code: 'expired_state',
          message: 'The login expired.',
          hint: 'Select Connect again.',
        },
      }),
    });
    render(<Page />);

    expect(await screen.findByText('The login expired.')).toBeInTheDocument();
    expect(screen.getByText('Select Connect again.')).toBeInTheDocument();
  });

  it("sends a cancelled consent and shows the backend's error", async () => {
    locationService.push(`${PAGE}?error=access_denied&state=st4te`);
    const { posted } = backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/callback': new ErrorResponse(400, {
        error: {
          code: 'consent_cancelled',
          message: 'access was not allowed at Oura',
          hint: 'Select Connect.',
        },
      }),
    });
    render(<Page />);

    expect(await screen.findByText('Access was not allowed at Oura')).toBeInTheDocument();
    expect(posted('/oauth/callback')).toEqual([{ error: 'access_denied', state: 'st4te' }]);
    expect(currentUrl()).toBe(PAGE);
  });
});

describe('a pasted redirect URL', () => {
  const paste = async (text: string) => {
    await userEvent.click(screen.getByTestId(config.redirectUrl));
    await userEvent.paste(text);
  };
  const pasted = `https://grafana.example${PAGE}?code=c0de&state=st4te&scope=daily`;

  it('finishes the login', async () => {
    const { posted } = backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/callback': { state: 'connected' },
    });
    render(<Page />);

    await userEvent.click(await screen.findByText('Not redirected back to Grafana?'));
    await paste(pasted);
    await userEvent.click(screen.getByTestId(config.finish));

    expect(posted('/oauth/callback')).toEqual([{ code: 'c0de', state: 'st4te' }]);
  });

  it.each([
    'an apple a day',
    `https://grafana.example${PAGE}`,
    `https://grafana.example${PAGE}?code=c0de`,
  ])('is rejected without code and state: %p', async (text) => {
    const { posted } = backend({ 'GET /status': NOT_CONNECTED });
    render(<Page />);

    await userEvent.click(await screen.findByText('Not redirected back to Grafana?'));
    expect(screen.queryByText(/^Invalid redirect URL/)).not.toBeInTheDocument();
    await paste(text);

    expect(screen.getByText(/^Invalid redirect URL/)).toBeInTheDocument();
    expect(screen.getByTestId(config.finish)).toBeDisabled();
    expect(posted('/oauth/callback')).toEqual([]);
  });

  it('can contain a cancelled consent', async () => {
    const { posted } = backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/callback': new ErrorResponse(400, {
        error: {
          code: 'consent_cancelled',
          message: 'access was not allowed at Oura',
          hint: 'Select Connect.',
        },
      }),
    });
    render(<Page />);

    await userEvent.click(await screen.findByText('Not redirected back to Grafana?'));
    await paste(`https://grafana.example${PAGE}?error=access_denied&state=st4te`);
    await userEvent.click(screen.getByTestId(config.finish));

    expect(posted('/oauth/callback')).toEqual([{ error: 'access_denied', state: 'st4te' }]);
    expect(await screen.findByText('Access was not allowed at Oura')).toBeInTheDocument();
  });

  it("shows the backend's error and hint", async () => {
    backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/callback': new ErrorResponse(400, {
        error: {
          code: 'unknown_state',
          message: 'this login was not started here',
          hint: 'Select Connect again.',
        },
      }),
    });
    render(<Page />);

    await userEvent.click(await screen.findByText('Not redirected back to Grafana?'));
    await paste(pasted);
    await userEvent.click(screen.getByTestId(config.finish));

    expect(await screen.findByText('This login was not started here')).toBeInTheDocument();
    expect(screen.getByText('Select Connect again.')).toBeInTheDocument();
  });

  it('has its error cleared by the next login', async () => {
    jest
      .mocked(getRedirect)
      .mockReturnValue({ uri: `http://localhost:3000${PAGE}`, returnsHere: false });
    backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/start': {
        authorizeUrl: 'https://oura.example/authorize',
        expiresAt: '2026-01-01T00:10:00Z',
      },
      'POST /oauth/callback': new ErrorResponse(400, {
        error: { code: 'unknown_state', message: 'unknown state' },
      }),
    });
    render(<Page />);

    await userEvent.click(await screen.findByText('Not redirected back to Grafana?'));
    await paste(pasted);
    await userEvent.click(screen.getByTestId(config.finish));
    await screen.findByText('Unknown state');
    await userEvent.click(screen.getByTestId(config.connect));

    expect(await screen.findByRole('link', { name: /login/ })).toBeInTheDocument();
    expect(screen.queryByText('Unknown state')).not.toBeInTheDocument();
  });

  it("follows a login that can't redirect to this page", async () => {
    jest
      .mocked(getRedirect)
      .mockReturnValue({ uri: `http://localhost:3000${PAGE}`, returnsHere: false });
    const { posted } = backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/start': {
        authorizeUrl: 'https://oura.example/authorize',
        expiresAt: '2026-01-01T00:10:00Z',
      },
    });
    render(<Page />);
    expect(await screen.findByDisplayValue(`http://localhost:3000${PAGE}`)).toBeInTheDocument();

    await userEvent.click(await screen.findByText('Connect'));

    expect(await screen.findByRole('link', { name: /login/ })).toHaveAttribute(
      'href',
      'https://oura.example/authorize'
    );
    expect(screen.getByTestId(config.redirectUrl)).toBeInTheDocument();
    expect(posted('/oauth/start')).toEqual([{ redirectUri: `http://localhost:3000${PAGE}` }]);
    expect(navigateTo).not.toHaveBeenCalled();
  });
});

describe('a connected data source', () => {
  it("shows the sync's progress and every collection", async () => {
    backend({ 'GET /status': SYNCING });
    render(<Page />);

    expect(await screen.findByRole('progressbar')).toHaveAttribute('aria-valuenow', '42');
    expect(
      screen.getByText(
        'Syncing: 42%, 1,234 documents so far, 2023-01-01 to 2025-12-31, about 4 minutes left'
      )
    ).toBeInTheDocument();
    await userEvent.click(screen.getByText('Collections'));
    const table = within(screen.getByTestId(config.collections));
    expect(table.getByText('2023-01-01 – 2025-12-31')).toBeInTheDocument();
    expect(table.getByText('Permission missing')).toBeInTheDocument();
    expect(table.getByText('Oura was not asked for spo2.')).toBeInTheDocument();
    expect(table.getByText('The last 30 days are complete')).toBeInTheDocument();
  });

  it.each([
    ['membership_ended', 'Membership ended'],
    ['removed', 'No longer offered'],
  ])('shows a label for the collection state %s', async (state, label) => {
    backend({ 'GET /status': { ...SYNCING, collections: [{ ...SLEEP, state }] } });
    render(<Page />);
    await userEvent.click(await screen.findByText('Collections'));

    const table = within(screen.getByTestId(config.collections));
    expect(table.getByText(label)).toBeInTheDocument();
  });

  it('shows missing permissions if Oura returned the scopes', async () => {
    backend({ 'GET /status': { ...SYNCING, scopes: SCOPES.slice(1).map(({ scope }) => scope) } });
    const { unmount } = render(<Page />);
    expect(
      await screen.findByText(
        'Permissions that you didn’t grant: E-mail address. Reconnect to grant them.'
      )
    ).toBeInTheDocument();
    unmount();

    backend({ 'GET /status': SYNCING });
    render(<Page />);
    await screen.findByTestId(config.sync);
    expect(screen.queryByText(/^Permissions that you/)).not.toBeInTheDocument();
  });

  it("shows the version of Oura's API and the last check", async () => {
    const now = new Date().toISOString();
    const sync = { ...SYNCING.sync, lastSync: now };
    backend({ 'GET /status': { ...SYNCING, sync, specificationCheckedAt: now } });
    render(<Page />);

    expect(await screen.findByText('Oura API version 1.43, checked today')).toBeInTheDocument();
  });

  it('shows the last sync and its failure', async () => {
    const sync = { ...SYNCING.sync, running: false, failure: 'oura does not respond' };
    const lastSync = new Date(Date.now() - 5 * 60_000).toISOString();
    backend({ 'GET /status': { ...SYNCING, sync: { ...sync, lastSync } } });
    render(<Page />);

    expect(await screen.findByText(/Last sync 5 minutes ago/)).toBeInTheDocument();
    expect(screen.getByText('The last sync didn’t finish')).toBeInTheDocument();
    expect(screen.getByText('Oura does not respond')).toBeInTheDocument();
  });

  it('shows an expired login once, not also as a failed sync', async () => {
    const reason = 'the login at Oura has expired';
    const sync = {
      ...SYNCING.sync,
      running: false,
      failure: reason,
      nextSync: '2026-01-01T00:00:00Z',
    };
    backend({ 'GET /status': { ...SYNCING, state: 'reconnect_needed', reason, sync } });
    render(<Page />);

    expect(await screen.findAllByText('The login at Oura has expired')).toHaveLength(1);
    expect(screen.queryByText(/next/)).not.toBeInTheDocument();
  });

  it('refreshes its status every two seconds during a sync', async () => {
    jest.useFakeTimers();
    const responses: Record<string, unknown> = { 'GET /status': SYNCING };
    backend(responses);
    render(<Page />);
    await act(() => jest.advanceTimersByTimeAsync(0));
    expect(screen.getByRole('progressbar')).toBeInTheDocument();

    responses['GET /status'] = { ...SYNCING, sync: { ...SYNCING.sync, running: false } };
    await act(() => jest.advanceTimersByTimeAsync(2_000));

    expect(screen.queryByRole('progressbar')).not.toBeInTheDocument();
    jest.useRealTimers();
  });

  it('disconnects after confirmation, without submitting settings', async () => {
    const { posted } = backend({ 'GET /status': SYNCING, 'POST /oauth/disconnect': {} });
    const submit = jest.fn();
    render(
      <form onSubmit={submit}>
        <Page />
      </form>
    );

    await userEvent.click(await screen.findByTestId(config.disconnect));
    expect(posted('/oauth/disconnect')).toHaveLength(0);

    await userEvent.click(
      within(await screen.findByRole('dialog')).getByRole('button', { name: 'Disconnect' })
    );
    await waitFor(() => expect(posted('/oauth/disconnect')).toHaveLength(1));
    expect(submit).not.toHaveBeenCalled();
  });

  it('syncs now', async () => {
    const { posted } = backend({ 'GET /status': STATUS, 'POST /sync': {} });
    render(<Page />);

    await userEvent.click(await screen.findByTestId(config.sync));
    await waitFor(() => expect(posted('/sync')).toHaveLength(1));
  });

  it('can be checked again after disk space was freed', async () => {
    const responses: Record<string, unknown> = { 'GET /status': STATES.disk };
    backend(responses);
    render(<Page />);

    const button = await screen.findByTestId(config.check);
    responses['GET /status'] = STATUS;
    await userEvent.click(button);
    expect(await screen.findByText('Connected')).toBeInTheDocument();
  });

  it('needs no login for demo data', async () => {
    backend({ 'GET /status': SYNCING });
    render(<Page options={{ ...OPTIONS, jsonData: { demo: true, timezone: '' } }} />);

    expect(await screen.findByTestId(config.sync)).toBeInTheDocument();
    expect(screen.queryByTestId(config.connect)).not.toBeInTheDocument();
    expect(screen.queryByTestId(config.clientId)).not.toBeInTheDocument();
  });
});

describe('demo data', () => {
  it('is offered below the steps, and saved at once', async () => {
    const { put } = backend({ 'GET /status': { ...NOT_CONNECTED, state: 'not_configured' } });
    render(<Page options={{ ...OPTIONS, jsonData: {}, secureJsonFields: {} }} />);

    await userEvent.click(await screen.findByRole('button', { name: 'Try it with demo data' }));

    await waitFor(() => expect(put.mock.calls[0][1].jsonData.demo).toBe(true));
    expect(await screen.findByText('Demo data')).toBeInTheDocument();
  });
});

describe('stored data', () => {
  const open = async () => userEvent.click(await screen.findByText('Stored data'));

  it('can be downloaded, and is deleted after a typed confirmation', async () => {
    const { posted } = backend({ 'GET /status': STATUS, 'POST /data/delete': {} });
    render(<Page />);
    await open();
    expect(screen.getByTestId(config.export)).toHaveAttribute('href', `/sub${RESOURCES}/export`);

    await userEvent.click(screen.getByTestId(config.deleteData));
    const dialog = within(await screen.findByRole('dialog'));
    const confirm = dialog.getByRole('button', { name: 'Delete stored data' });
    await userEvent.click(confirm);
    expect(posted('/data/delete')).toHaveLength(0);
    await userEvent.type(dialog.getByRole('textbox'), 'delete');
    await userEvent.click(confirm);
    await waitFor(() => expect(posted('/data/delete')).toEqual([{ confirm: 'oura' }]));
  });

  it('mentions the effect of Delete in Grafana', async () => {
    backend({ 'GET /status': STATUS });
    render(<Page />);
    await open();
    expect(screen.getByText(/It stays there if you delete this data source/)).toBeInTheDocument();
  });
});

describe.each(['Viewer', 'Editor'])('for the role %s', (orgRole) => {
  beforeEach(() => (grafana.bootData = { user: { orgRole } } as typeof grafana.bootData));
  afterEach(() => (grafana.bootData = { user: {} } as typeof grafana.bootData));

  it('the page is readable, and changes are disabled', async () => {
    backend({ 'GET /status': STATUS });
    render(<Page />);
    await userEvent.click(await screen.findByText('Stored data'));
    await userEvent.click(screen.getByText('Oura application'));

    expect(screen.getByText(/require the role Admin/)).toBeInTheDocument();
    expect(screen.queryByTestId(config.export)).not.toBeInTheDocument();
    for (const id of [config.connect, config.sync, config.disconnect, config.deleteData]) {
      expect(isDisabled(id)).toBe(true);
    }
    expect(screen.getByTestId(config.clientId)).toBeDisabled();
    expect(screen.queryByRole('button', { name: 'Reset' })).not.toBeInTheDocument();
    expect(isDisabled(config.dashboards)).toBe(false);
  });
});

describe('a damaged database', () => {
  it('is repaired after confirmation', async () => {
    const { posted } = backend({
      'GET /status': { ...SYNCING, damage: 'bad pages' },
      'POST /data/repair': { state: 'repaired' },
    });
    render(<Page />);

    await userEvent.click(await screen.findByTestId(config.repair));
    expect(posted('/data/repair')).toHaveLength(0);
    await userEvent.click(
      within(await screen.findByRole('dialog')).getByRole('button', { name: 'Repair' })
    );
    await waitFor(() => expect(posted('/data/repair')).toHaveLength(1));
  });
});

it('shows no steps to a configured data source before its status is known', async () => {
  setBackendSrv({ fetch: () => NEVER } as unknown as BackendSrv);
  render(<Page />);

  expect(await screen.findByRole('status')).toHaveTextContent('Loading');
  expect(screen.queryByTestId(config.redirectUri)).not.toBeInTheDocument();
});

describe('settings', () => {
  it.each(['UTC', '', 'Etc/UTC'])('show the time zone %p by its name in the list', async (zone) => {
    backend({ 'GET /status': NOT_CONNECTED });
    render(<Page options={{ ...OPTIONS, jsonData: { timezone: zone } }} />);
    await userEvent.click(screen.getByText('Sync settings'));

    expect(screen.getByText('Time zone')).toBeInTheDocument();
    expect(screen.queryByText(/^Type to search/)).not.toBeInTheDocument();
  });

  it("start with the browser's time zone", async () => {
    const { put } = backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/start': { authorizeUrl: 'x', expiresAt: '2026-01-01T00:10:00Z' },
    });
    render(<Page options={{ ...OPTIONS, jsonData: { clientId: 'id' } }} />);

    await userEvent.click(await screen.findByText('Save and connect'));

    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    await waitFor(() => expect(put.mock.calls[0][1].jsonData.timezone).toBe(timeZone));
  });

  it('request all permissions except unchecked ones, at least one', async () => {
    const { put } = backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/start': { authorizeUrl: 'x', expiresAt: '2026-01-01T00:10:00Z' },
    });
    render(
      <Page options={{ ...OPTIONS, jsonData: { ...OPTIONS.jsonData, scopes: 'daily spo2' } }} />
    );
    await userEvent.click(screen.getByText('Sync settings'));

    const permissions = within(screen.getByTestId(config.scopes));
    await userEvent.click(permissions.getByLabelText(/^Blood oxygen/));
    await userEvent.click(permissions.getByLabelText(/^Sleep, readiness/));
    await userEvent.click(screen.getByText('Save and connect'));

    await waitFor(() => expect(put.mock.calls[0][1].jsonData.scopes).toBe('daily'));
  });

  it('choose the first day, the interval and the collections', async () => {
    const { put } = backend({
      'GET /status': { ...STATUS, state: 'not_connected' },
      'POST /oauth/start': { authorizeUrl: 'x', expiresAt: '2026-01-01T00:10:00Z' },
    });
    render(<Page />);
    await userEvent.click(await screen.findByText('Sync settings'));
    const enter = (label: RegExp, value: string) =>
      fireEvent.change(screen.getByLabelText(label), { target: { value } });
    enter(/^History start/, '2024-02-29');
    enter(/^Sync interval/, '45');
    await userEvent.click(screen.getByTestId(config.collectionChoice));
    await userEvent.click(await screen.findByRole('option', { name: 'workout' }));
    await userEvent.click(screen.getByText('Save and connect'));

    await waitFor(() =>
      expect(put.mock.calls[0][1].jsonData).toMatchObject({
        historyStart: '2024-02-29',
        syncIntervalMinutes: 45,
        collections: ['workout'],
      })
    );
  });

  it('show the minimum sync interval', async () => {
    backend({ 'GET /status': NOT_CONNECTED });
    render(<Page />);
    await userEvent.click(screen.getByText('Sync settings'));

    expect(screen.getByLabelText(/^Sync interval/)).toHaveAttribute('min', '5');
    expect(
      screen.getByText(/The minimum is 5 minutes\. Lower values are raised to it\.$/)
    ).toBeInTheDocument();
  });
});
