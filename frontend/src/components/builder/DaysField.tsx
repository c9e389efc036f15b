import { Combobox, Field, Icon, Label, Stack, Tooltip } from '@grafana/ui';
import React from 'react';

import { formatCount } from '../../format';

interface Props {
  id: string;
  label: string;
  tooltip: string;
  /** Numbers to choose from, in addition to 0 and the current value. */
  suggested: number[];
  isSigned?: boolean;
  value: number;
  onChange: (days: number) => void;
}

/** A number of days: a suggested one, or a typed one. */
export function DaysField({
  id,
  label,
  tooltip,
  suggested,
  isSigned = false,
  value,
  onChange,
}: Props) {
  const numbers = Array.from(new Set([0, ...suggested, value])).sort((a, b) => a - b);
  const options = numbers.map((days) => ({
    value: String(days),
    label: formatDays(days, isSigned),
  }));

  const select = (text: string) => {
    const days = Math.trunc(Number(text));
    if (Number.isFinite(days) && (isSigned || days >= 0)) {
      onChange(days);
    }
  };

  return (
    <Field
      label={
        <Label htmlFor={id}>
          <Stack gap={0.5} alignItems="center">
            {label}
            <Tooltip content={tooltip}>
              <Icon name="info-circle" size="sm" />
            </Tooltip>
          </Stack>
        </Label>
      }
      noMargin
    >
      <Combobox
        id={id}
        data-testid={id}
        width={16}
        options={options}
        value={String(value)}
        createCustomValue
        customValueDescription="days"
        onChange={({ value }) => select(value)}
      />
    </Field>
  );
}

function formatDays(days: number, isSigned: boolean): string {
  if (days === 0) {
    return 'None';
  }
  const length = formatCount(Math.abs(days), 'day');
  if (!isSigned) {
    return length;
  }
  return `${length} ${days > 0 ? 'later' : 'earlier'}`;
}
