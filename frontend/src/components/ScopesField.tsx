import { Checkbox, Field, Grid } from '@grafana/ui';
import React from 'react';

import { SCOPES } from '../scopes';
import { selectors } from './selectors';

interface Props {
  /** Separated by spaces; empty means all. */
  scopes: string;
  disabled: boolean;
  onChange: (scopes: string) => void;
}

export function ScopesField({ scopes, disabled, onChange }: Props) {
  const asked = new Set(scopes.split(/\s+/).filter(Boolean));
  const isAsked = (scope: string) => asked.size === 0 || asked.has(scope);

  const toggle = (toggled: string) => {
    const chosen = SCOPES.map(({ scope }) => scope).filter(
      (scope) => isAsked(scope) !== (scope === toggled)
    );
    // None would mean all.
    if (chosen.length > 0) {
      onChange(chosen.length === SCOPES.length ? '' : chosen.join(' '));
    }
  };

  return (
    <Field
      label="Permissions to ask for"
      description="A change takes effect with the next login."
      noMargin
    >
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
