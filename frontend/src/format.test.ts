import { formatTimeLeft, formatTypeAndUnit, formatUnit } from './format';

it.each([
  [0, 'less than a minute left'],
  [60, 'about 1 minute left'],
  [250, 'about 4 minutes left'],
  [5_300, 'about 88 minutes left'],
  [5_400, 'about 2 hours left'],
  [11_000, 'about 3 hours left'],
])('%s seconds left are formatted as %s', (seconds, text) =>
  expect(formatTimeLeft(seconds)).toBe(text)
);

it.each([
  ['suffix:bpm', 'bpm'],
  ['suffix: ms', 'ms'],
  ['percent', 'percent'],
])('the unit %p is formatted as %s', (unit, text) => expect(formatUnit(unit)).toBe(text));

it.each([
  ['integer', 'suffix:bpm', 'integer, bpm'],
  ['string', null, 'string'],
])('the type %s with the unit %p is formatted as %s', (type, unit, text) =>
  expect(formatTypeAndUnit({ type, unit })).toBe(text)
);
