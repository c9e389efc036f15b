import { SCOPES, granted } from './scopes';

const all = SCOPES.map(({ scope }) => scope);

describe('what Oura granted', () => {
  it('is all permissions, in whatever order and with whatever else', () => {
    expect(granted([...all].reverse().concat('new'))).toBe('All permissions granted');
  });

  it('is said by what is missing', () => {
    expect(granted(all.filter((scope) => !['tag', 'spo2'].includes(scope)))).toBe(
      'Without permission for: Tags · Blood oxygen'
    );
  });

  it('is not known when Oura did not say', () => {
    expect(granted([])).toBeUndefined();
  });
});
