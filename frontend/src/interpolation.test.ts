import type { ScopedVars } from '@grafana/data';
import { type TemplateSrv, setTemplateSrv } from '@grafana/runtime';

import { formatValue, interpolateFilter, interpolateSql, expandVariables } from './interpolation';

const MULTI = { multi: true };

describe('formatValue', () => {
  it('formats several values as a list of literals', () => {
    expect(formatValue(['running', 'walking'], MULTI)).toBe("'running','walking'");
  });

  it('quotes one value of a multi-value variable', () => {
    expect(formatValue('running', MULTI)).toBe("'running'");
    expect(formatValue('running', { includeAll: true })).toBe("'running'");
  });

  it('leaves a single-value variable unquoted', () => {
    expect(formatValue('running', {})).toBe('running');
  });

  it.each([
    ["x' OR 1=1 --", MULTI, "'x'' OR 1=1 --'"],
    [["it's", "'"], MULTI, "'it''s',''''"],
    ["it's", {}, "it''s"],
  ])('escapes quotes in %p', (value, variable, sql) => {
    expect(formatValue(value, variable)).toBe(sql);
  });

  it('leaves numbers unquoted', () => {
    expect(formatValue(7, MULTI)).toBe('7');
    expect(formatValue([7, 8], MULTI)).toBe('7,8');
  });
});

describe('interpolateSql', () => {
  const replace = jest.fn((text?: string, _vars?: ScopedVars) => text ?? '');

  beforeAll(() => setTemplateSrv({ replace } as unknown as TemplateSrv));

  it("does not replace the backend's macros", () => {
    const interval = { text: '1h', value: '1h' };
    const repeated = { text: 'running', value: 'running' };
    interpolateSql('SELECT $__interval', {
      __interval: interval,
      __interval_ms: interval,
      activity: repeated,
    });

    expect(replace).toHaveBeenCalledWith('SELECT $__interval', { activity: repeated }, formatValue);
  });
});

describe('a variable in a metrics query', () => {
  const VALUES: Record<string, string | string[]> = {
    $kind: ['walking', 'running'],
    $low: '40',
    $metric: 'days.steps',
  };

  /** Replaces variables like Grafana's template service. */
  const replace = (text: string, _vars: ScopedVars, format: (value: string | string[]) => string) =>
    text.replace(/\$\w+/g, (name) => format(VALUES[name]));

  beforeAll(() => setTemplateSrv({ replace } as unknown as TemplateSrv));

  it('expands to each of its values', () => {
    expect(expandVariables('$kind', {})).toEqual(['walking', 'running']);
    expect(expandVariables('$metric', {})).toEqual(['days.steps']);
  });

  it('is replaced inside a text', () => {
    expect(expandVariables('%$metric%', {})).toEqual(['%days.steps%']);
  });

  it('becomes a number or a list in a filter', () => {
    expect(interpolateFilter({ column: 'bpm', operator: '>', value: '$low' }, {}).value).toBe(40);
    expect(
      interpolateFilter({ column: 'activity', operator: 'in', values: ['yoga', '$kind'] }, {})
        .values
    ).toEqual(['yoga', 'walking', 'running']);
  });
});
