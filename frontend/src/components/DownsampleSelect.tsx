import { Combobox, type ComboboxOption } from '@grafana/ui';
import React from 'react';

import type { Downsample } from '../types';

const OPTIONS: Array<ComboboxOption<Downsample>> = [
  {
    value: 'auto',
    label: 'Auto',
    description: 'Min–max, if a series has far more points than the panel can show',
  },
  { value: 'off', label: 'Off', description: 'Keeps every point' },
  {
    value: 'minmax',
    label: 'Min–max',
    description: 'Keeps the lowest and highest point of each bucket',
  },
  { value: 'lttb', label: 'LTTB', description: 'Keeps the points that preserve the line’s shape' },
];

interface Props {
  id: string;
  value: Downsample;
  /** The width in Grafana's units. Without it, the control fills its place. */
  width?: number;
  onChange: (downsample: Downsample) => void;
}

/** The method that thins out a series with more points than the panel can show. */
export function DownsampleSelect({ id, value, width, onChange }: Props) {
  return (
    <Combobox
      id={id}
      data-testid={id}
      width={width}
      options={OPTIONS}
      value={value}
      onChange={(chosen) => onChange(chosen.value)}
    />
  );
}
