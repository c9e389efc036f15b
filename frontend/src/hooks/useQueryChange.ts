import { useLayoutEffect, useRef } from 'react';

import type { OuraQuery } from '../types';

/**
 * Returns a function that changes fields of the query and runs it, with `onRunQuery`.
 *
 * Fields that have their values already change nothing. In Explore, Grafana's Combobox calls
 * `onChange` of an earlier render again and again: each run would cause the next one.
 */
export function useQueryChange<Q extends Partial<OuraQuery>>(
  query: Q,
  onChange: (query: Q) => void,
  onRunQuery?: () => void
): (part: Partial<OuraQuery>) => void {
  const latest = useRef(query);
  useLayoutEffect(() => {
    latest.current = query;
  });

  return (part) => {
    const changed = { ...latest.current, ...part };
    if (JSON.stringify(changed) === JSON.stringify(latest.current)) {
      return;
    }
    latest.current = changed;
    onChange(changed);
    onRunQuery?.();
  };
}
