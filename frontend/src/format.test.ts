import { formatTimeLeft, formatTypeAndUnit, formatUnit } from './format';

it.each([
  [0, 'less than a minute left'],
  [60, 'about 1 minute left'],
  [250, 'about 4 minutes left'],
  [5_300, 'about 88 minutes left'],
  [5_400, 'about 2 hours left'],
  [11_000, 'about 3 hours left'],
])('%s seconds are %s', (seconds, words) => expect(formatTimeLeft(seconds)).toBe(words));

it.each([
  ['suffix:bpm', 'bpm'],
  ['suffix: ms', 'ms'],
  ['percent', 'percent'],
])('the unit %p is read as %s', (unit, words) => expect(formatUnit(unit)).toBe(words));

it.each([
  ['integer', 'suffix:bpm', 'integer, bpm'],
  ['text', null, 'text'],
])('a column of type %s and unit %p is %s', (type, unit, words) =>
  expect(formatTypeAndUnit({ type, unit })).toBe(words)
);
