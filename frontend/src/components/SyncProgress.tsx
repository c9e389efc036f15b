import { css } from '@emotion/css';
import { dateTimeFormatTimeAgo, type GrafanaTheme2 } from '@grafana/data';
import { Stack, Text, useStyles2 } from '@grafana/ui';
import React from 'react';

import { formatCount, formatDayOrAge, formatTimeLeft } from '../format';
import { measure } from '../pageState';
import type { Status } from '../types';
import { selectors } from './selectors';

/** The sync's progress or last result, its schedule, and the version of Oura's API. */
export function SyncProgress({ status }: { status: Status }) {
  const { sync, state, specification, specificationCheckedAt } = status;
  const { running, lastSync, nextSync } = sync;
  const checked = specificationCheckedAt && `checked ${formatDayOrAge(specificationCheckedAt)}`;
  const facts = [
    !running && lastSync && `Last sync ${dateTimeFormatTimeAgo(lastSync)}`,
    !running && nextSync && state === 'connected' && `next sync ${dateTimeFormatTimeAgo(nextSync)}`,
    lastSync &&
      specification &&
      [`Oura API version ${specification}`, checked].filter(Boolean).join(', '),
  ].filter(Boolean);

  return (
    <>
      {running && <Progress status={status} />}
      {facts.length > 0 && <Text color="secondary">{facts.join(' · ')}</Text>}
    </>
  );
}

function Progress({ status }: { status: Status }) {
  const { percent, documents, secondsLeft } = status.sync;
  const { firstDay, lastDay } = measure(status);
  const styles = useStyles2(getStyles);
  const rounded = Math.round(percent);
  const facts = [
    `Syncing: ${rounded}%`,
    `${formatCount(documents, 'document')} so far`,
    firstDay && lastDay && `${firstDay} to ${lastDay}`,
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
    background: theme.colors.border.medium,
    overflow: 'hidden',
  }),
  bar: css({
    height: '100%',
    background: theme.colors.primary.main,
    [theme.transitions.handleMotion('no-preference')]: { transition: 'width 0.6s ease' },
  }),
});
