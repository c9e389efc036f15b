import { InternalTimeZones } from '@grafana/data';
import { Field, Input, Stack, TimeZonePicker } from '@grafana/ui';
import React from 'react';

import { DEFAULT_SYNC_INTERVAL_MINUTES, MIN_SYNC_INTERVAL_MINUTES } from '../contract';
import type { Settings } from '../hooks/useSettings';
import type { CollectionStatus } from '../types';
import { NamesField } from './NamesField';
import { ScopesField } from './ScopesField';
import { fieldStyles } from './fieldStyles';
import { selectors } from './selectors';

interface Props {
  settings: Settings;
  /** The collections to choose from. */
  collections?: CollectionStatus[];
}

/** The time zone, the schedule, the history and the permissions of the sync. */
export function SyncSettings({ settings, collections = [] }: Props) {
  const { jsonData, change, readOnly } = settings;
  const zone = jsonData.timezone ?? '';

  return (
    <Stack direction="column" gap={2}>
      <Field
        className={fieldStyles.medium}
        label="Time zone"
        description="Daily values are drawn at midnight in this time zone."
        htmlFor={selectors.config.timeZone}
        noMargin
      >
        <TimeZonePicker
          inputId={selectors.config.timeZone}
          includeInternal={[InternalTimeZones.utc]}
          value={UTC.includes(zone) ? InternalTimeZones.utc : zone}
          width={50}
          disabled={readOnly}
          onChange={(zone) => change({ timezone: zone === InternalTimeZones.utc ? '' : zone })}
        />
      </Field>
      <Field
        label="Sync interval"
        description={
          'Oura receives new data when you open its app on your phone. ' +
          `The minimum is ${MIN_SYNC_INTERVAL_MINUTES} minutes. Lower values are raised to it.`
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
      <NamesField
        id={selectors.config.collectionChoice}
        label="Collections"
        description="Leave empty to sync all."
        placeholder="All collections"
        options={collections.map(({ name }) => ({ value: name, label: name }))}
        value={jsonData.collections ?? []}
        disabled={readOnly}
        onChange={(collections) => change({ collections })}
      />
      {!jsonData.demo && (
        <ScopesField
          scopes={jsonData.scopes ?? ''}
          disabled={readOnly}
          onChange={(scopes) => change({ scopes })}
        />
      )}
    </Stack>
  );
}

/** Names of UTC, which Grafana's list has as `utc`. Empty is the default. */
const UTC = ['', 'UTC', 'Etc/UTC', 'GMT', 'Etc/GMT'];

function wholeNumber(text: string): number | undefined {
  const number = Math.trunc(Number(text));
  return number > 0 ? number : undefined;
}
