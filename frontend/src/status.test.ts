import { completeStatus } from './status';
import type { Status } from './types';

it('fills the fields that an older backend lacks', () => {
  const older = { state: 'connected', sync: { running: true } } as Partial<Status>;
  expect(completeStatus(older)).toMatchObject({
    state: 'connected',
    sync: { running: true, failure: null },
    collections: [],
    scopes: [],
  });
});

it.each([undefined, [], {}, { state: 7 }, 'half'])('rejects %p', (response) => {
  expect(() => completeStatus(response as Partial<Status>)).toThrow('Invalid status');
});
