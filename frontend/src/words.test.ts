import { timeLeft } from './words';

it.each([
  [0, 'less than a minute left'],
  [60, 'about 1 minute left'],
  [250, 'about 4 minutes left'],
  [5_300, 'about 88 minutes left'],
  [5_400, 'about 2 hours left'],
  [11_000, 'about 3 hours left'],
])('%s seconds are %s', (seconds, words) => expect(timeLeft(seconds)).toBe(words));
