import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Text, useStyles2 } from '@grafana/ui';
import React, { type ReactNode } from 'react';

import type { Connection } from '../hooks/useConnection';
import type { Settings } from '../hooks/useSettings';
import { ConnectButton } from './ConnectButton';
import { CredentialFields, PortalLinks, RedirectUriField } from './ApplicationSection';
import { PasteRedirectUrl } from './PasteRedirectUrl';

interface Props {
  uid: string;
  settings: Settings;
  connection: Connection;
  hasCredentials: boolean;
  /** Whether to connect is the primary action of the page. */
  isPrimary: boolean;
}

/** The steps from an application at Oura to a connection. */
export function SetupSteps({ uid, settings, connection, hasCredentials, isPrimary }: Props) {
  const { disabled, authorizeUrl, finish } = connection;
  const styles = useStyles2(getStyles);
  return (
    <ol className={styles.steps}>
      <Step title="Register an application at Oura">
        <PortalLinks />
        <RedirectUriField uid={uid} />
      </Step>
      <Step title="Enter its client ID and client secret">
        <CredentialFields settings={settings} />
      </Step>
      <Step title="Connect, and allow access">
        <ConnectButton
          settings={settings}
          connection={connection}
          hasCredentials={hasCredentials}
          variant={isPrimary ? 'primary' : 'secondary'}
        />
        {hasCredentials ? (
          <PasteRedirectUrl authorizeUrl={authorizeUrl} disabled={disabled} onSubmit={finish} />
        ) : (
          <Text color="secondary">Enter the client ID and client secret to connect.</Text>
        )}
      </Step>
    </ol>
  );
}

function Step({ title, children }: { title: string; children: ReactNode }) {
  const styles = useStyles2(getStyles);
  return (
    <li>
      <Text element="h3" variant="h5">
        {title}
      </Text>
      <div className={styles.body}>{children}</div>
    </li>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  steps: css({
    display: 'flex',
    flexDirection: 'column',
    gap: theme.spacing(3),
    margin: 0,
    paddingLeft: theme.spacing(3),
    '& > li::marker': { fontSize: theme.typography.h5.fontSize },
  }),
  body: css({
    display: 'flex',
    flexDirection: 'column',
    gap: theme.spacing(2),
    marginTop: theme.spacing(1),
    alignItems: 'flex-start',
    '& > *': { maxWidth: '100%' },
  }),
});
