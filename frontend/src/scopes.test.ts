import { SCOPES, describeScopes } from './scopes';

const all = SCOPES.map(({ scope }) => scope);

describe('describeScopes', () => {
  it('ignores the order and unknown scopes', () => {
    expect(describeScopes([...all].reverse().concat('new'))).toBe('All permissions granted');
  });

  it('lists the missing permissions', () => {
    expect(describeScopes(all.filter((scope) => !['tag', 'spo2'].includes(scope)))).toBe(
      'Missing permissions: Tags · Blood oxygen'
    );
  });

  it('returns nothing if Oura returned no scopes', () => {
    expect(describeScopes([])).toBeUndefined();
  });
});
