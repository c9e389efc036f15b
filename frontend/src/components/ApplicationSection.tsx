import { Alert, ClipboardButton, Field, Input, SecretInput, TextLink } from '@grafana/ui';
import React from 'react';

import type { Settings } from '../hooks/useSettings';
import { getRedirect } from '../navigation';
import { Section } from './Section';
import { selectors } from './selectors';

const PORTAL = 'https://developer.ouraring.com';

interface Props {
  uid: string;
  settings: Settings;
}

/** The application registered at Oura: its redirect URI and credentials. */
export function ApplicationSection({ uid, settings }: Props) {
  const { uri, returnsHere } = getRedirect(uid);

  return (
    <Section
      title="Oura application"
      description={
        <>
          Grafana reads your data through an application of your own. Register one at{' '}
          <TextLink href={PORTAL} external>
            developer.ouraring.com
          </TextLink>{' '}
          with the redirect URI below. Then enter its client ID and client secret, and select
          Connect.
        </>
      }
    >
      {!returnsHere && (
        <Alert severity="info" title="Oura can’t redirect to this address of Grafana">
          Oura accepts only https addresses and http://localhost. Register the redirect URI below
          anyway. After the login, copy the address from your browser and paste it here. If you open
          Grafana over https, the login returns here automatically.
        </Alert>
      )}
      <Field label="Redirect URI" htmlFor={selectors.config.redirectUri} noMargin>
        <Input
          id={selectors.config.redirectUri}
          data-testid={selectors.config.redirectUri}
          value={uri}
          width={80}
          readOnly
          addonAfter={
            <ClipboardButton variant="secondary" icon="copy" getText={() => uri}>
              Copy
            </ClipboardButton>
          }
        />
      </Field>
      <Field label="Client ID" htmlFor={selectors.config.clientId} noMargin>
        <Input
          id={selectors.config.clientId}
          data-testid={selectors.config.clientId}
          value={settings.jsonData.clientId ?? ''}
          width={50}
          autoComplete="off"
          disabled={settings.readOnly}
          onChange={(event) => settings.change({ clientId: event.currentTarget.value.trim() })}
        />
      </Field>
      <Field label="Client secret" htmlFor={selectors.config.clientSecret} noMargin>
        <SecretInput
          id={selectors.config.clientSecret}
          data-testid={selectors.config.clientSecret}
          width={50}
          autoComplete="new-password"
          disabled={settings.readOnly}
          isConfigured={settings.isSecretStored}
          onReset={settings.resetSecret}
          onChange={(event) => settings.setSecret(event.currentTarget.value.trim())}
        />
      </Field>
    </Section>
  );
}
