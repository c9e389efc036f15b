import { CollapsableSection, Field, Input, Stack, TimeZonePicker } from '@grafana/ui';
import React, { useState } from 'react';

import { DEFAULT_SYNC_INTERVAL_MINUTES, MIN_SYNC_INTERVAL_MINUTES } from '../contract';
import type { Settings } from '../hooks/useSettings';
import { ScopesField } from './ScopesField';
import { selectors } from './selectors';

/** The time zone, the schedule, the history and the permissions of the sync. */
export function SyncSettings({ settings }: { settings: Settings }) {
  const [isOpen, setOpen] = useState(false);
  const { jsonData, change, readOnly } = settings;

  return (
    <CollapsableSection label="Sync settings" isOpen={isOpen} onToggle={setOpen}>
      <Stack direction="column" gap={2}>
        <Field
          label="Time zone"
          description="Daily values are drawn at midnight in this time zone."
          htmlFor={selectors.config.timeZone}
          noMargin
        >
          <TimeZonePicker
            inputId={selectors.config.timeZone}
            value={jsonData.timezone ?? 'utc'}
            width={50}
            disabled={readOnly}
            onChange={(zone) => change({ timezone: zone === 'utc' ? '' : zone })}
          />
        </Field>
        <Field
          label="Sync interval"
          description={
            'Oura receives new data when you open its app on your phone. ' +
            `Values below ${MIN_SYNC_INTERVAL_MINUTES} minutes count as ${MIN_SYNC_INTERVAL_MINUTES}.`
          }
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
          label="History start"
          description={
            'First day to import. ' +
            'Leave empty to import backwards until two consecutive years have no data.'
          }
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
