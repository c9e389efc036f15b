import { css } from '@emotion/css';
import { dateTimeFormatTimeAgo, type GrafanaTheme2 } from '@grafana/data';
import { Alert, Stack, Text, useStyles2 } from '@grafana/ui';
import React from 'react';

import { capitalize, formatDayOrAge, formatTimeLeft } from '../format';
import type { Status, SyncStatus } from '../types';
import { selectors } from './selectors';

/** The sync's progress or last result, its schedule, and the version of Oura's API. */
export function SyncProgress({ status }: { status: Status }) {
  const { sync, state, reason, specification, specificationCheckedAt } = status;
  const { running, lastSync, nextSync, failure } = sync;
  const checked = specificationCheckedAt && `checked ${formatDayOrAge(specificationCheckedAt)}`;
  const facts = [
    !running && lastSync && `Last sync ${dateTimeFormatTimeAgo(lastSync)}`,
    !running && nextSync && state === 'connected' && `next sync ${dateTimeFormatTimeAgo(nextSync)}`,
    specification && [`Oura API version ${specification}`, checked].filter(Boolean).join(', '),
  ];

  return (
    <>
      {failure && failure !== reason && (
        <Alert severity="warning" title="The last sync didn’t finish">
          {capitalize(failure)}
        </Alert>
      )}
      {running && <Progress sync={sync} />}
      <Text color="secondary">{facts.filter(Boolean).join(' · ')}</Text>
    </>
  );
}

function Progress({ sync: { percent, documents, secondsLeft } }: { sync: SyncStatus }) {
  const styles = useStyles2(getStyles);
  const rounded = Math.round(percent);
  const facts = [
    `Syncing: ${rounded}%`,
    `${documents.toLocaleString()} documents so far`,
    secondsLeft !== null && formatTimeLeft(secondsLeft),
  ];

  return (
    <Stack direction="column" gap={0.5}>
      <Text color="secondary">{facts.filter(Boolean).join(', ')}</Text>
      <div
        className={styles.track}
        role="progressbar"
        aria-label="Sync"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={rounded}
        data-testid={selectors.config.progress}
      >
        <div className={styles.bar} style={{ width: `${rounded}%` }} />
      </div>
    </Stack>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  track: css({
    maxWidth: 480,
    height: theme.spacing(0.75),
    borderRadius: theme.shape.radius.pill,
    background: theme.colors.background.secondary,
    overflow: 'hidden',
  }),
  bar: css({
    height: '100%',
    background: theme.colors.primary.main,
    [theme.transitions.handleMotion('no-preference')]: { transition: 'width 0.6s ease' },
  }),
});
