import { renderHook } from '@testing-library/react';

import type { OuraQuery } from '../types';
import { useQueryChange } from './useQueryChange';

const QUERY: OuraQuery = { refId: 'A', queryType: 'metrics', metrics: ['days.steps'] };

function setUp() {
  const onChange = jest.fn();
  const onRunQuery = jest.fn();
  const { result, rerender } = renderHook(
    (query: OuraQuery) => useQueryChange(query, onChange, onRunQuery),
    { initialProps: QUERY }
  );
  return { result, rerender, onChange, onRunQuery };
}

it('runs a changed query once, also if an earlier render repeats the change', () => {
  const { result, rerender, onChange, onRunQuery } = setUp();
  const earlier = result.current;
  earlier({ aggregate: 'max' });
  rerender({ ...QUERY, aggregate: 'max' });
  earlier({ aggregate: 'max' });
  result.current({ aggregate: 'max' });

  expect(onChange.mock.calls).toEqual([[{ ...QUERY, aggregate: 'max' }]]);
  expect(onRunQuery).toHaveBeenCalledTimes(1);
});

it('keeps both of two changes before the next render', () => {
  const { result, onChange } = setUp();
  result.current({ aggregate: 'max' });
  result.current({ every: 'week' });

  expect(onChange).toHaveBeenLastCalledWith({ ...QUERY, aggregate: 'max', every: 'week' });
});

it('follows a query that changed elsewhere', () => {
  const { result, rerender, onChange } = setUp();
  result.current({ aggregate: 'max' });
  rerender(QUERY);
  result.current({ aggregate: 'max' });

  expect(onChange).toHaveBeenCalledTimes(2);
});
