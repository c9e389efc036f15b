import { css } from '@emotion/css';
import { dateTimeFormatTimeAgo, type GrafanaTheme2 } from '@grafana/data';
import { Stack, Text, useStyles2 } from '@grafana/ui';
import React from 'react';

import type { SyncStatus } from '../types';
import { selectors } from './selectors';

interface Props {
  sync: SyncStatus;
  specification: string;
}

/** How far the sync has come, or when it last ran. */
export function SyncProgress({ sync, specification }: Props) {
  const styles = useStyles2(getStyles);
  const documents = `${sync.documents.toLocaleString()} documents`;

  if (!sync.running) {
    const facts = [
      sync.lastSync && `Last sync ${dateTimeFormatTimeAgo(sync.lastSync)}`,
      sync.nextSync && `next ${dateTimeFormatTimeAgo(sync.nextSync)}`,
      specification && `Oura API ${specification}`,
    ];
    return (
      <>
        {sync.failure && <Text color="error">{sync.failure}</Text>}
        <Text color="secondary">{facts.filter(Boolean).join(' · ')}</Text>
      </>
    );
  }

  const percent = Math.round(sync.percent);
  return (
    <Stack direction="column" gap={0.5}>
      <Text color="secondary">{`Syncing: ${percent} %, ${documents}`}</Text>
      <div
        className={styles.track}
        role="progressbar"
        aria-label="Sync"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
        data-testid={selectors.config.progress}
      >
        <div className={styles.bar} style={{ width: `${percent}%` }} />
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
