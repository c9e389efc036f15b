import { parseRedirectUrl } from './loginRedirect';

describe('a pasted address', () => {
  it.each([
    'http://localhost:3000/connections/datasources/edit/oura?code=c0de&state=st4te&scope=daily',
    'https://grafana.example/sub/connections/datasources/edit/oura?orgId=1&state=st4te&code=c0de#top',
    '  localhost:3000/connections/datasources/edit/oura?code=c0de&state=st4te\n',
    'code=c0de&state=st4te',
    '?code=c0de&state=st4te',
  ])('gives code and state: %p', (address) => {
    expect(parseRedirectUrl(address)).toEqual({ code: 'c0de', state: 'st4te' });
  });

  it('gives what is written with percent signs', () => {
    expect(parseRedirectUrl('http://localhost/?code=a%2Fb%3D&state=st4te')?.code).toBe('a/b=');
  });

  it('gives a toResourceError', () => {
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
  ])('without an answer gives nothing: %p', (address) => {
    expect(parseRedirectUrl(address)).toBeUndefined();
  });
});
