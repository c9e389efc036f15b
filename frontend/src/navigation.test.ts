import { config } from '@grafana/runtime';

import { getRedirect } from './navigation';

function openPage(url: string) {
  const { protocol, hostname, port, origin } = new URL(url);
  jest
    .spyOn(window, 'window', 'get')
    .mockReturnValue({ location: { protocol, hostname, port, origin } } as never);
}

afterEach(() => jest.restoreAllMocks());

describe('getRedirect', () => {
  it.each(['https://grafana.example', 'http://localhost:3000', 'https://10.0.0.7:3000'])(
    'returns the page itself for %s',
    (origin) => {
      openPage(origin);
      expect(getRedirect('oura')).toEqual({
        uri: `${origin}/connections/datasources/edit/oura`,
        returnsHere: true,
      });
    }
  );

  it.each([
    ['http://raspberrypi.local:3000', 'http://localhost:3000'],
    ['http://127.0.0.1:3000', 'http://localhost:3000'],
    ['http://grafana.lan', 'http://localhost'],
  ])('uses localhost for %s, which Oura would reject', (origin, base) => {
    openPage(origin);
    expect(getRedirect('oura')).toEqual({
      uri: `${base}/connections/datasources/edit/oura`,
      returnsHere: false,
    });
  });

  it("includes Grafana's sub-path", () => {
    openPage('https://home.example');
    jest.replaceProperty(config, 'appSubUrl', '/grafana');
    expect(getRedirect('oura').uri).toBe(
      'https://home.example/grafana/connections/datasources/edit/oura'
    );
  });
});
