import { parseRedirectUrl } from './loginRedirect';

describe('parseRedirectUrl', () => {
  it.each([
    'http://localhost:3000/connections/datasources/edit/oura?code=c0de&state=st4te&scope=daily',
    'https://grafana.example/sub/connections/datasources/edit/oura?orgId=1&state=st4te&code=c0de#x',
    '  localhost:3000/connections/datasources/edit/oura?code=c0de&state=st4te\n',
    'code=c0de&state=st4te',
    '?code=c0de&state=st4te',
  ])('reads code and state from %p', (url) => {
    expect(parseRedirectUrl(url)).toEqual({ code: 'c0de', state: 'st4te' });
  });

  it('decodes percent-encoding', () => {
    expect(parseRedirectUrl('http://localhost/?code=a%2Fb%3D&state=st4te')?.code).toBe('a/b=');
  });

  it('reads an error', () => {
    expect(parseRedirectUrl('http://localhost/?error=access_denied&state=st4te')).toEqual({
      error: 'access_denied',
      state: 'st4te',
    });
  });

  it.each([
    '',
    'hello',
    'http://localhost:3000/connections/datasources/edit/oura',
    'http://localhost/?code=c0de',
  ])('rejects %p', (url) => {
    expect(parseRedirectUrl(url)).toBeUndefined();
  });
});
