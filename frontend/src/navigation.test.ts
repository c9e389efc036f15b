import { config } from '@grafana/runtime';

import { getRedirect } from './navigation';

function openedAt(address: string) {
  const { protocol, hostname, port, origin } = new URL(address);
  jest
    .spyOn(window, 'window', 'get')
    .mockReturnValue({ location: { protocol, hostname, port, origin } } as never);
}

afterEach(() => jest.restoreAllMocks());

describe('the redirect address', () => {
  it.each(['https://grafana.example', 'http://localhost:3000', 'https://10.0.0.7:3000'])(
    'is the page itself: %s',
    (origin) => {
      openedAt(origin);
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
  ])('that Oura would refuse is stood for by one that it takes: %s', (origin, base) => {
    openedAt(origin);
    expect(getRedirect('oura')).toEqual({
      uri: `${base}/connections/datasources/edit/oura`,
      returnsHere: false,
    });
  });

  it("has Grafana's sub-path", () => {
    openedAt('https://home.example');
    jest.replaceProperty(config, 'appSubUrl', '/grafana');
    expect(getRedirect('oura').uri).toBe(
      'https://home.example/grafana/connections/datasources/edit/oura'
    );
  });
});
