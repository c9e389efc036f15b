import { findWordEnd, parseMistake } from './mistake';

it.each([
  [
    'Unknown column averge_hrv (line 1, column 12). Did you mean average_hrv?',
    1,
    12,
    ['average_hrv'],
  ],
  ['near "FROM": syntax error (line 2, column 1)', 2, 1, []],
  ['Only one statement is allowed, found a second one at line 1, column 11', 1, 11, []],
  [
    'Unknown table sleeps (line 3, column 6). Did you mean daily_sleep or daily_spo2?',
    3,
    6,
    ['daily_sleep', 'daily_spo2'],
  ],
])('reads %s', (message, line, column, suggestions) => {
  expect(parseMistake(message)).toEqual({ message, line, column, suggestions });
});

it.each([undefined, '', 'The query is empty'])('finds no position in %p', (message) => {
  expect(parseMistake(message)).toBeUndefined();
});

it.each([
  ['SELECT averge_hrv FROM', 8, 18],
  ['$__timeFliter(time)', 1, 14],
  ['SELECT (', 8, 9],
  ['', 1, 2],
])('marks a word of %p', (line, column, end) => {
  expect(findWordEnd(line, column)).toBe(end);
});
