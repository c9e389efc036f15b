import { SCOPES, describeScopes } from './scopes';

const all = SCOPES.map(({ scope }) => scope);

describe('what Oura describeScopes', () => {
  it('is all permissions, in whatever order and with whatever else', () => {
    expect(describeScopes([...all].reverse().concat('new'))).toBe('All permissions describeScopes');
  });

  it('is said by what is missing', () => {
    expect(describeScopes(all.filter((scope) => !['tag', 'spo2'].includes(scope)))).toBe(
      'Without permission for: Tags · Blood oxygen'
    );
  });

  it('is not known when Oura did not say', () => {
    expect(describeScopes([])).toBeUndefined();
  });
});
