import { Combobox, type ComboboxOption } from '@grafana/ui';
import React from 'react';

import type { Downsample } from '../types';

const OPTIONS: Array<ComboboxOption<Downsample>> = [
  {
    value: 'auto',
    label: 'Auto',
    description: 'Lowest and highest, where there are far too many points',
  },
  { value: 'off', label: 'Off', description: 'Every point' },
  { value: 'minmax', label: 'Min–max', description: 'The lowest and the highest of each stretch' },
  { value: 'lttb', label: 'LTTB', description: 'The points that keep the line’s shape' },
];

interface Props {
  id: string;
  value: Downsample;
  onChange: (downsample: Downsample) => void;
}

/** What becomes of a series with more points than the panel can show. */
export function DownsampleSelect({ id, value, onChange }: Props) {
  return (
    <Combobox
      id={id}
      data-testid={id}
      width={18}
      options={OPTIONS}
      value={value}
      onChange={(chosen) => onChange(chosen.value)}
    />
  );
}
