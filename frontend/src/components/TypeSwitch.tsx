import type { SelectableValue } from '@grafana/data';
import { RadioButtonGroup } from '@grafana/ui';
import React from 'react';

import { selectors } from './selectors';

interface Props<T> {
  types: Array<SelectableValue<T>>;
  value: T;
  onChange: (type: T) => void;
}

/** Switches between the types of a query. */
export function TypeSwitch<T>({ types, value, onChange }: Props<T>) {
  return (
    <div data-testid={selectors.query.type}>
      <RadioButtonGroup size="sm" options={types} value={value} onChange={onChange} />
    </div>
  );
}
