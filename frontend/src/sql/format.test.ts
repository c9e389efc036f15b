import { EXAMPLES } from './examples';
import { formatSql } from './format';

it('puts clauses on lines of their own', async () => {
  expect(await formatSql('select a, b from t where c = 1')).toBe(
    'SELECT\n  a,\n  b\nFROM\n  t\nWHERE\n  c = 1'
  );
});

it.each([
  '$__timeFilter(time)',
  '$__timeGroup(time, $__interval, previous)',
  '$__timeGroup(coalesce(a, max(b, c)), 1d)',
  '$__interval',
  '$person',
  '${person:csv}',
  "'it''s  $quoted'",
  '?1',
])('leaves %s alone', async (text) => {
  expect(await formatSql(`select ${text} from t`)).toContain(`  ${text}\n`);
});

it.each(EXAMPLES.map(({ title, sql }) => [title, sql]))(
  'keeps the meaning of: %s',
  async (_, sql) => {
    const words = (text: string) => text.toLowerCase().replaceAll(/\s/g, '');
    expect(words(await formatSql(sql))).toBe(words(sql));
  }
);
