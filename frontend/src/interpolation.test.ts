import type { ScopedVars } from '@grafana/data';
import { type TemplateSrv, setTemplateSrv } from '@grafana/runtime';

import { formatValue, interpolateFilter, interpolateSql, expandVariables } from './interpolation';

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
    interpolateSql('SELECT $__interval', {
      __interval: interval,
      __interval_ms: interval,
      activity: repeated,
    });

    expect(replace).toHaveBeenCalledWith('SELECT $__interval', { activity: repeated }, formatValue);
  });
});

describe('a variable in the builder', () => {
  const HELD: Record<string, string | string[]> = {
    $kind: ['walking', 'running'],
    $low: '40',
    $metric: 'days.steps',
  };

  /** Grafana's: every variable of a text through the format. */
  const replace = (text: string, _vars: ScopedVars, format: (value: string | string[]) => string) =>
    text.replace(/\$\w+/g, (name) => format(HELD[name]));

  beforeAll(() => setTemplateSrv({ replace } as unknown as TemplateSrv));

  it('stands for each of its values', () => {
    expect(expandVariables('$kind', {})).toEqual(['walking', 'running']);
    expect(expandVariables('$metric', {})).toEqual(['days.steps']);
  });

  it('within a text becomes part of it', () => {
    expect(expandVariables('%$metric%', {})).toEqual(['%days.steps%']);
  });

  it('is compared with as what it is', () => {
    expect(interpolateFilter({ column: 'bpm', operator: '>', value: '$low' }, {}).value).toBe(40);
    expect(
      interpolateFilter({ column: 'activity', operator: 'in', values: ['yoga', '$kind'] }, {})
        .values
    ).toEqual(['yoga', 'walking', 'running']);
  });
});
