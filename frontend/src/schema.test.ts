import { SCHEMA } from './components/fixtures';
import { completeSchema } from './schema';
import type { Schema } from './types';

it('keeps a schema as it is', () => {
  expect(completeSchema(SCHEMA)).toEqual(SCHEMA);
});

it('fills the lists that an older backend lacks', () => {
  const older = { tables: SCHEMA.tables, macros: 7 } as unknown as Partial<Schema>;
  expect(completeSchema(older)).toMatchObject({ tables: SCHEMA.tables, macros: [], metrics: [] });
});

it.each([undefined, [], {}, 'half', { tables: 'x' }])('rejects %p', (response) => {
  expect(() => completeSchema(response as Partial<Schema>)).toThrow('Invalid schema');
});
