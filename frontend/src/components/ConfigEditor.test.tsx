import type { DataSourceSettings } from '@grafana/data';
import {
  type BackendSrv,
  type BackendSrvRequest,
  locationService,
  setBackendSrv,
} from '@grafana/runtime';
import { act, fireEvent, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import React, { useState } from 'react';
import { of, throwError } from 'rxjs';

import { navigateTo, getRedirect } from '../navigation';
import { SCOPES } from '../scopes';
import type { OuraOptions, OuraSecrets, Status } from '../types';
import { ConfigEditor } from './ConfigEditor';
import { selectors } from './selectors';

jest.mock('../navigation', () => ({ getRedirect: jest.fn(), navigateTo: jest.fn() }));

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
  state: 'not_connected',
  reason: null,
  scopes: [],
  sync: {
    running: false,
    percent: 0,
    run: null,
    documents: 0,
    secondsLeft: null,
    lastSync: null,
    nextSync: null,
    failure: null,
  },
  specification: '1.43',
  specificationCheckedAt: null,
  collections: [],
};

const SYNCING: Status = {
  ...NOT_CONNECTED,
  state: 'connected',
  sync: { ...NOT_CONNECTED.sync, running: true, percent: 41.7, documents: 1234, secondsLeft: 250 },
  collections: [
    {
      name: 'sleep',
      documents: 1096,
      firstDay: '2023-01-01',
      lastDay: '2025-12-31',
      lastSync: '2026-01-01T00:00:00Z',
      state: 'ok',
      reason: null,
      summary: 'the last 30 days are complete',
    },
    {
      name: 'daily_spo2',
      documents: 0,
      firstDay: null,
      lastDay: null,
      lastSync: null,
      state: 'scope_missing',
      reason: 'Oura was not asked for spo2.',
      summary: 'Oura was not asked for spo2.',
    },
  ],
};

/** The backend: what it answers by `METHOD path`, and what it was asked. */
function backend(answers: Record<string, unknown>) {
  const fetch = jest.fn(({ method = 'GET', url }: BackendSrvRequest) => {
    const answer = answers[`${method} ${url.replace(RESOURCES, '')}`];
    return answer instanceof Refusal ? throwError(() => answer) : of({ data: answer });
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

/** A refused request as Grafana's client throws it. */
class Refusal {
  constructor(
    readonly status: number,
    readonly data: unknown
  ) {}
}

function Page({ options = OPTIONS }: { options?: Options }) {
  const [current, setCurrent] = useState(options);
  return <ConfigEditor options={current} onOptionsChange={setCurrent} />;
}

const address = () => locationService.getLocation().pathname + locationService.getLocation().search;

beforeEach(() => {
  locationService.push(PAGE);
  jest.mocked(navigateTo).mockClear();
  jest.mocked(getRedirect).mockReturnValue({ uri: `http://localhost${PAGE}`, returnsHere: true });
});

describe('connecting', () => {
  it("sends the person to Oura's login, with this page as the address to come back to", async () => {
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

  it('saves what was typed first, and has Grafana use it at once', async () => {
    const { headers, put } = backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/start': {
        authorizeUrl: 'https://oura.example/authorize',
        expiresAt: '2026-01-01T00:10:00Z',
      },
    });
    render(<Page />);

    fireEvent.change(screen.getByTestId(config.clientId), { target: { value: 'another' } });
    await userEvent.click(await screen.findByText('Save and connect'));

    await waitFor(() => expect(navigateTo).toHaveBeenCalled());
    expect(put.mock.calls[0][1].jsonData.clientId).toBe('another');
    expect(headers('/oauth/start')).toEqual({ 'X-Grafana-NoCache': 'true' });
  });

  it('waits for a client ID and a secret', async () => {
    backend({ 'GET /status': { ...NOT_CONNECTED, state: 'not_configured' } });
    render(<Page options={{ ...OPTIONS, secureJsonFields: {} }} />);

    await screen.findByText('Not set up');
    expect(screen.getByTestId(config.connect)).toHaveAttribute('aria-disabled', 'true');

    fireEvent.change(screen.getByTestId(config.clientSecret), { target: { value: 'secret' } });
    expect(screen.getByTestId(config.connect)).not.toHaveAttribute('aria-disabled', 'true');
  });

  it('says what the backend says when it refuses', async () => {
    backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/start': new Refusal(403, {
        error: {
          code: 'forbidden',
          message: 'Only an admin may connect.',
          hint: 'Ask an admin of this organisation.',
        },
      }),
    });
    render(<Page />);

    await userEvent.click(await screen.findByText('Connect'));

    expect(await screen.findByText('Only an admin may connect.')).toBeInTheDocument();
    expect(screen.getByText('Ask an admin of this organisation.')).toBeInTheDocument();
    expect(navigateTo).not.toHaveBeenCalled();
  });
});

describe("coming back from Oura's login", () => {
  it('hands code and state to the backend and takes them out of the address', async () => {
    locationService.push(`${PAGE}?code=c0de&state=st4te&scope=daily&page=settings`);
    const { posted } = backend({
      'GET /status': SYNCING,
      'POST /oauth/callback': { state: 'connected' },
    });
    render(<Page />);

    expect(await screen.findByText('Connected')).toBeInTheDocument();
    expect(posted('/oauth/callback')).toEqual([{ code: 'c0de', state: 'st4te' }]);
    expect(address()).toBe(`${PAGE}?page=settings`);
  });

  it('uses an answer once', async () => {
    locationService.push(`${PAGE}?code=c0de&state=st4te`);
    const { posted } = backend({
      'GET /status': SYNCING,
      'POST /oauth/callback': { state: 'connected' },
    });
    const { unmount } = render(<Page />);
    await screen.findByText('Connected');
    unmount();
    render(<Page />);

    await screen.findByText('Connected');
    expect(posted('/oauth/callback')).toHaveLength(1);
  });

  it('shows why the backend would not finish', async () => {
    locationService.push(`${PAGE}?code=c0de&state=0ld`);
    backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/callback': new Refusal(400, {
        error: {
          code: 'expired_state',
          message: 'The login took too long.',
          hint: 'Press Connect again.',
        },
      }),
    });
    render(<Page />);

    expect(await screen.findByText('The login took too long.')).toBeInTheDocument();
    expect(screen.getByText('Press Connect again.')).toBeInTheDocument();
  });

  it('hands over a refused consent, and shows what the backend makes of it', async () => {
    locationService.push(`${PAGE}?error=access_denied&state=st4te`);
    const { posted } = backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/callback': new Refusal(400, {
        error: {
          code: 'consent_cancelled',
          message: 'the consent at Oura was cancelled',
          hint: 'Press Connect.',
        },
      }),
    });
    render(<Page />);

    expect(await screen.findByText('The consent at Oura was cancelled')).toBeInTheDocument();
    expect(posted('/oauth/callback')).toEqual([{ error: 'access_denied', state: 'st4te' }]);
    expect(address()).toBe(PAGE);
  });
});

describe('when Oura could not send the browser back', () => {
  const paste = async (text: string) => {
    await userEvent.click(screen.getByTestId(config.paste));
    await userEvent.paste(text);
  };
  const pasted = `https://grafana.example${PAGE}?code=c0de&state=st4te&scope=daily`;

  it('the pasted address finishes the login', async () => {
    const { posted } = backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/callback': { state: 'connected' },
    });
    render(<Page />);

    await userEvent.click(await screen.findByText('The browser did not come back?'));
    await paste(pasted);
    await userEvent.click(screen.getByTestId(config.finish));

    expect(posted('/oauth/callback')).toEqual([{ code: 'c0de', state: 'st4te' }]);
  });

  it.each([
    'an apple a day',
    `https://grafana.example${PAGE}`,
    `https://grafana.example${PAGE}?code=c0de`,
  ])('what carries no answer is not taken: %p', async (text) => {
    const { posted } = backend({ 'GET /status': NOT_CONNECTED });
    render(<Page />);

    await userEvent.click(await screen.findByText('The browser did not come back?'));
    expect(screen.queryByText(/There is no code with its state/)).not.toBeInTheDocument();
    await paste(text);

    expect(screen.getByText(/There is no code with its state/)).toBeInTheDocument();
    expect(screen.getByTestId(config.finish)).toBeDisabled();
    expect(posted('/oauth/callback')).toEqual([]);
  });

  it('a refused consent is handed over like any answer', async () => {
    const { posted } = backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/callback': new Refusal(400, {
        error: {
          code: 'consent_cancelled',
          message: 'the consent at Oura was cancelled',
          hint: 'Press Connect.',
        },
      }),
    });
    render(<Page />);

    await userEvent.click(await screen.findByText('The browser did not come back?'));
    await paste(`https://grafana.example${PAGE}?error=access_denied&state=st4te`);
    await userEvent.click(screen.getByTestId(config.finish));

    expect(posted('/oauth/callback')).toEqual([{ error: 'access_denied', state: 'st4te' }]);
    expect(await screen.findByText('The consent at Oura was cancelled')).toBeInTheDocument();
  });

  it('what the backend says of it is shown', async () => {
    backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/callback': new Refusal(400, {
        error: {
          code: 'unknown_state',
          message: 'this login was not begun here',
          hint: 'Press Connect again.',
        },
      }),
    });
    render(<Page />);

    await userEvent.click(await screen.findByText('The browser did not come back?'));
    await paste(pasted);
    await userEvent.click(screen.getByTestId(config.finish));

    expect(await screen.findByText('This login was not begun here')).toBeInTheDocument();
    expect(screen.getByText('Press Connect again.')).toBeInTheDocument();
  });

  it('what was said of it is gone with the next login', async () => {
    jest
      .mocked(getRedirect)
      .mockReturnValue({ uri: `http://localhost:3000${PAGE}`, returnsHere: false });
    backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/start': {
        authorizeUrl: 'https://oura.example/authorize',
        expiresAt: '2026-01-01T00:10:00Z',
      },
      'POST /oauth/callback': new Refusal(400, {
        error: { code: 'unknown_state', message: 'not begun here' },
      }),
    });
    render(<Page />);

    await userEvent.click(await screen.findByText('The browser did not come back?'));
    await paste(pasted);
    await userEvent.click(screen.getByTestId(config.finish));
    await screen.findByText('Not begun here');
    await userEvent.click(screen.getByTestId(config.connect));

    expect(await screen.findByRole('link', { name: /login/ })).toBeInTheDocument();
    expect(screen.queryByText('Not begun here')).not.toBeInTheDocument();
  });

  it('because Grafana has an address that Oura refuses, the login opens beside this page', async () => {
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
    expect(screen.getByDisplayValue(`http://localhost:3000${PAGE}`)).toBeInTheDocument();

    await userEvent.click(await screen.findByText('Connect'));

    expect(await screen.findByRole('link', { name: /login/ })).toHaveAttribute(
      'href',
      'https://oura.example/authorize'
    );
    expect(screen.getByTestId(config.paste)).toBeInTheDocument();
    expect(posted('/oauth/start')).toEqual([{ redirectUri: `http://localhost:3000${PAGE}` }]);
    expect(navigateTo).not.toHaveBeenCalled();
  });
});

describe('a connected account', () => {
  it('shows how far the sync is and what every collection holds', async () => {
    backend({ 'GET /status': SYNCING });
    render(<Page />);

    expect(await screen.findByRole('progressbar')).toHaveAttribute('aria-valuenow', '42');
    expect(
      screen.getByText('Syncing: 42 %, 1,234 documents so far, about 4 minutes left')
    ).toBeInTheDocument();
    const table = within(screen.getByTestId(config.collections));
    expect(table.getByText('2023-01-01 – 2025-12-31')).toBeInTheDocument();
    expect(table.getByText('Permission missing')).toBeInTheDocument();
    expect(table.getByText('Oura was not asked for spo2.')).toBeInTheDocument();
    expect(table.getByText('The last 30 days are complete')).toBeInTheDocument();
  });

  it.each([
    ['membership_ended', 'Membership ended'],
    ['removed', 'No longer offered'],
  ])('says in words that a collection rests: %s', async (state, words) => {
    const [sleep] = SYNCING.collections;
    backend({ 'GET /status': { ...SYNCING, collections: [{ ...sleep, state }] } });
    render(<Page />);

    expect(await screen.findByText(words)).toBeInTheDocument();
  });

  it('says what Oura describeScopes, where Oura said so', async () => {
    backend({ 'GET /status': { ...SYNCING, scopes: SCOPES.slice(1).map(({ scope }) => scope) } });
    const { unmount } = render(<Page />);
    expect(await screen.findByText('Without permission for: E-mail address')).toBeInTheDocument();
    unmount();

    backend({ 'GET /status': SYNCING });
    render(<Page />);
    await screen.findByText('Connected');
    expect(screen.queryByText(/^Without permission|^All permissions/)).not.toBeInTheDocument();
  });

  it("says which version of Oura's specification it follows, and when it last looked", async () => {
    backend({ 'GET /status': { ...SYNCING, specificationCheckedAt: new Date().toISOString() } });
    render(<Page />);

    expect(await screen.findByText('Oura API 1.43, checked today')).toBeInTheDocument();
  });

  it('says when it was last synced, and why the last sync ended early', async () => {
    const sync = { ...SYNCING.sync, running: false, failure: 'oura does not answer' };
    const lastSync = new Date(Date.now() - 5 * 60_000).toISOString();
    backend({ 'GET /status': { ...SYNCING, sync: { ...sync, lastSync } } });
    render(<Page />);

    expect(await screen.findByText(/Last sync 5 minutes ago/)).toBeInTheDocument();
    expect(screen.getByText('The last sync ended early')).toBeInTheDocument();
    expect(screen.getByText('Oura does not answer')).toBeInTheDocument();
  });

  it('says once why a login that is over ended the last sync', async () => {
    const reason = 'the login at Oura has ended';
    const sync = {
      ...SYNCING.sync,
      running: false,
      failure: reason,
      nextSync: '2026-01-01T00:00:00Z',
    };
    backend({ 'GET /status': { ...SYNCING, state: 'reconnect_needed', reason, sync } });
    render(<Page />);

    expect(await screen.findAllByText('The login at Oura has ended')).toHaveLength(1);
    expect(screen.queryByText(/next/)).not.toBeInTheDocument();
  });

  it('is asked again every two seconds while it syncs', async () => {
    jest.useFakeTimers();
    const answers: Record<string, unknown> = { 'GET /status': SYNCING };
    backend(answers);
    render(<Page />);
    await act(() => jest.advanceTimersByTimeAsync(0));
    expect(screen.getByRole('progressbar')).toBeInTheDocument();

    answers['GET /status'] = { ...SYNCING, sync: { ...SYNCING.sync, running: false } };
    await act(() => jest.advanceTimersByTimeAsync(2_000));

    expect(screen.queryByRole('progressbar')).not.toBeInTheDocument();
    jest.useRealTimers();
  });

  it('is disconnected after a question, and the settings around it are not submitted', async () => {
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

  it('needs no login with demo data', async () => {
    backend({ 'GET /status': SYNCING });
    render(<Page options={{ ...OPTIONS, jsonData: { demo: true, timezone: '' } }} />);

    expect(await screen.findByTestId(config.sync)).toBeInTheDocument();
    expect(screen.queryByTestId(config.connect)).not.toBeInTheDocument();
    expect(screen.queryByTestId(config.clientId)).not.toBeInTheDocument();
  });
});

describe('settings', () => {
  it("start with the browser's time zone", async () => {
    const { put } = backend({
      'GET /status': NOT_CONNECTED,
      'POST /oauth/start': { authorizeUrl: 'x', expiresAt: '2026-01-01T00:10:00Z' },
    });
    render(<Page options={{ ...OPTIONS, jsonData: { clientId: 'id' } }} />);

    await userEvent.click(screen.getByText('Save and connect'));

    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    await waitFor(() => expect(put.mock.calls[0][1].jsonData.timezone).toBe(timeZone));
  });

  it('ask for all permissions but those unticked, and never for none', async () => {
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

  it('say what the shortest time between syncs is', async () => {
    backend({ 'GET /status': NOT_CONNECTED });
    render(<Page />);
    await userEvent.click(screen.getByText('Sync settings'));

    expect(screen.getByLabelText(/^Sync every/)).toHaveAttribute('min', '5');
    expect(screen.getByText(/Less than 5 minutes counts as 5\.$/)).toBeInTheDocument();
  });
});
