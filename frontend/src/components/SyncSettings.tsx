import { CollapsableSection, Field, Input, Stack, TimeZonePicker } from '@grafana/ui';
import React, { useState } from 'react';

import { DEFAULT_SYNC_INTERVAL_MINUTES, MIN_SYNC_INTERVAL_MINUTES } from '../contract';
import type { Settings } from '../hooks/useSettings';
import { ScopesField } from './ScopesField';
import { selectors } from './selectors';

/** What to fetch, how often, and which time zone the days are in. */
export function SyncSettings({ settings }: { settings: Settings }) {
  const [isOpen, setOpen] = useState(false);
  const { jsonData, change, readOnly } = settings;

  return (
    <CollapsableSection label="Sync settings" isOpen={isOpen} onToggle={setOpen}>
      <Stack direction="column" gap={2}>
        <Field
          label="Time zone"
          description="Calendar days and nights are drawn at their local midnight in this zone."
          htmlFor={selectors.config.timezone}
          noMargin
        >
          <TimeZonePicker
            inputId={selectors.config.timezone}
            value={jsonData.timezone ?? 'utc'}
            width={50}
            disabled={readOnly}
            onChange={(zone) => change({ timezone: zone === 'utc' ? '' : zone })}
          />
        </Field>
        <Field
          label="Sync every"
          description={`Oura's own data arrives when the app on the phone is opened. Less than ${MIN_SYNC_INTERVAL_MINUTES} minutes counts as ${MIN_SYNC_INTERVAL_MINUTES}.`}
          htmlFor={selectors.config.interval}
          noMargin
        >
          <Input
            id={selectors.config.interval}
            type="number"
            min={MIN_SYNC_INTERVAL_MINUTES}
            suffix="minutes"
            width={20}
            placeholder={String(DEFAULT_SYNC_INTERVAL_MINUTES)}
            value={jsonData.syncIntervalMinutes ?? ''}
            disabled={readOnly}
            onChange={(event) =>
              change({ syncIntervalMinutes: wholeNumber(event.currentTarget.value) })
            }
          />
        </Field>
        <Field
          label="History from"
          description="Empty: as far back as there is data."
          htmlFor={selectors.config.historyStart}
          noMargin
        >
          <Input
            id={selectors.config.historyStart}
            type="date"
            width={20}
            value={jsonData.historyStart ?? ''}
            disabled={readOnly}
            onChange={(event) => change({ historyStart: event.currentTarget.value || undefined })}
          />
        </Field>
        {!jsonData.demo && (
          <ScopesField
            scopes={jsonData.scopes ?? ''}
            disabled={readOnly}
            onChange={(scopes) => change({ scopes })}
          />
        )}
      </Stack>
    </CollapsableSection>
  );
}

function wholeNumber(text: string): number | undefined {
  const number = Math.trunc(Number(text));
  return number > 0 ? number : undefined;
}
