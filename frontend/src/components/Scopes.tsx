import { Checkbox, Field, Grid } from '@grafana/ui';
import React from 'react';

import { selectors } from './selectors';

/** The scopes that open all of Oura's collections, in the order in which they are asked for. */
const SCOPES: Array<{ scope: string; opens: string }> = [
  { scope: 'email', opens: 'E-mail address' },
  { scope: 'personal', opens: 'Age, height, weight' },
  { scope: 'daily', opens: 'Sleep, readiness, activity' },
  { scope: 'heartrate', opens: 'Heart rate around the clock' },
  { scope: 'workout', opens: 'Workouts' },
  { scope: 'tag', opens: 'Tags' },
  { scope: 'session', opens: 'Meditation and breathing sessions' },
  { scope: 'spo2', opens: 'Blood oxygen' },
  { scope: 'stress', opens: 'Stress and resilience' },
  { scope: 'heart_health', opens: 'Cardiovascular age, VO₂ max' },
  { scope: 'ring_configuration', opens: 'Rings and their battery' },
];

interface Props {
  /** Separated by spaces; empty means all. */
  scopes: string;
  disabled: boolean;
  onChange: (scopes: string) => void;
}

export function Scopes({ scopes, disabled, onChange }: Props) {
  const asked = new Set(scopes.split(/\s+/).filter(Boolean));
  const isAsked = (scope: string) => asked.size === 0 || asked.has(scope);

  const toggle = (toggled: string) => {
    const chosen = SCOPES.map(({ scope }) => scope).filter((scope) => isAsked(scope) !== (scope === toggled));
    // None would mean all.
    if (chosen.length > 0) {
      onChange(chosen.length === SCOPES.length ? '' : chosen.join(' '));
    }
  };

  return (
    <Field label="Permissions to ask for" description="A change takes effect with the next login." noMargin>
      <Grid columns={2} gap={1} data-testid={selectors.config.scopes}>
        {SCOPES.map(({ scope, opens }) => (
          <div key={scope}>
            <Checkbox
              label={opens}
              description={scope}
              value={isAsked(scope)}
              disabled={disabled}
              onChange={() => toggle(scope)}
            />
          </div>
        ))}
      </Grid>
    </Field>
  );
}
