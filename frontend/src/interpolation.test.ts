import type { ScopedVars } from '@grafana/data';
import { type TemplateSrv, setTemplateSrv } from '@grafana/runtime';

import { formatValue, interpolateSql } from './interpolation';

const MULTI = { multi: true };

describe('a variable in SQL', () => {
  it('with several values becomes a list of literals', () => {
    expect(formatValue(['running', 'walking'], MULTI)).toBe("'running','walking'");
  });

  it('with one of several possible values becomes one literal', () => {
    expect(formatValue('running', MULTI)).toBe("'running'");
    expect(formatValue('running', { includeAll: true })).toBe("'running'");
  });

  it('with a single value stands bare, for the quotes of the query', () => {
    expect(formatValue('running', {})).toBe('running');
  });

  it.each([
    ["x' OR 1=1 --", MULTI, "'x'' OR 1=1 --'"],
    [["it's", "'"], MULTI, "'it''s',''''"],
    ["it's", {}, "it''s"],
  ])('cannot end its literal: %p', (value, variable, sql) => {
    expect(formatValue(value, variable)).toBe(sql);
  });

  it('that is a number needs no quotes', () => {
    expect(formatValue(7, MULTI)).toBe('7');
    expect(formatValue([7, 8], MULTI)).toBe('7,8');
  });
});

describe('interpolation', () => {
  const replace = jest.fn((text?: string, _vars?: ScopedVars) => text ?? '');

  beforeAll(() => setTemplateSrv({ replace } as unknown as TemplateSrv));

  it("leaves the backend's macros to the backend", () => {
    const interval = { text: '1h', value: '1h' };
    const repeated = { text: 'running', value: 'running' };
    interpolateSql('SELECT $__interval', { __interval: interval, __interval_ms: interval, activity: repeated });

    expect(replace).toHaveBeenCalledWith('SELECT $__interval', { activity: repeated }, formatValue);
  });
});
