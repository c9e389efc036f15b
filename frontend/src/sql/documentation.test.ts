import { SCHEMA } from '../components/fixtures';
import { describeAt, findSignature } from './documentation';

const at = (marked: string) => [marked.replace('|', ''), marked.indexOf('|')] as const;

it.each([
  ['SELECT average|_hrv FROM nights', '**average_hrv** (integer, ms)'],
  ['SELECT n.|efficiency FROM nights n', '**efficiency** (integer)'],
  ['SELECT 1 FROM nigh|ts', '**nights**\n\none row per night'],
  ['SELECT med|ian(efficiency) FROM nights', '`median(x)`\n\nmedian'],
  ['SELECT 1 WHERE $__time|Filter(time)', '`$__timeFilter(column)`'],
])('describes the name at the pointer: %s', (marked, text) => {
  expect(describeAt(SCHEMA, ...at(marked))?.text).toContain(text);
});

it.each(['SEL|ECT 1', "SELECT 'night|s'", 'SELECT 1 -- night|s', 'SELECT 1| '])(
  'describes nothing else: %s',
  (marked) => {
    expect(describeAt(SCHEMA, ...at(marked))).toBeUndefined();
  }
);

it('finds the signature and the argument of the innermost call', () => {
  const schema = {
    ...SCHEMA,
    functions: [{ ...SCHEMA.functions[0], name: 'pick', usage: 'pick(a, b)' }],
  };
  expect(findSignature(schema, ...at('SELECT pick((1, 2), |'))).toMatchObject({
    label: 'pick(a, b)',
    parameters: ['a', 'b'],
    active: 1,
  });
  expect(findSignature(schema, ...at('SELECT pick(1, $__timeFilter(|'))).toMatchObject({
    label: '$__timeFilter(column)',
  });
  expect(findSignature(schema, ...at('SELECT pick(1)|'))).toBeUndefined();
  expect(findSignature(schema, ...at('SELECT (|'))).toBeUndefined();
});
