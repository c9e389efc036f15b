import {
  Alert,
  ClipboardButton,
  Field,
  Input,
  SecretInput,
  Stack,
  Text,
  TextLink,
} from '@grafana/ui';
import React from 'react';

import type { Settings } from '../hooks/useSettings';
import { getRedirect } from '../navigation';
import { fieldStyles } from './fieldStyles';
import { selectors } from './selectors';

/** Oura's portals for applications: the new one, and the one that older accounts use. */
const NEW_PORTAL = 'https://developer.ouraring.com';
const OLD_PORTAL = 'https://cloud.ouraring.com/oauth/applications';

interface Props {
  uid: string;
  settings: Settings;
}

/** The application registered at Oura: its redirect URI and credentials. */
export function ApplicationSection({ uid, settings }: Props) {
  return (
    <Stack direction="column" gap={2}>
      <PortalLinks />
      <RedirectUriField uid={uid} />
      <CredentialFields settings={settings} />
    </Stack>
  );
}

export function PortalLinks() {
  return (
    <Text color="secondary">
      Grafana reads your data through an application of your own. Register it at{' '}
      <TextLink href={NEW_PORTAL} external inline>
        developer.ouraring.com
      </TextLink>{' '}
      with the redirect URI below. If your applications are at{' '}
      <TextLink href={OLD_PORTAL} external inline>
        cloud.ouraring.com
      </TextLink>
      , use one of those. Both work.
    </Text>
  );
}

/** The redirect URI to register, with a button that copies it. */
export function RedirectUriField({ uid }: { uid: string }) {
  const { uri, returnsHere } = getRedirect(uid);
  return (
    <>
      {!returnsHere && (
        <Alert severity="info" title="Oura can’t redirect to this address of Grafana">
          Oura accepts only https addresses and http://localhost. Register the redirect URI below
          anyway. After the login, copy the address from your browser and paste it here. If you open
          Grafana over https, the login returns here automatically.
        </Alert>
      )}
      <Field
        className={fieldStyles.wide}
        label="Redirect URI"
        htmlFor={selectors.config.redirectUri}
        noMargin
      >
        <Input
          id={selectors.config.redirectUri}
          data-testid={selectors.config.redirectUri}
          value={uri}
          readOnly
          addonAfter={
            <ClipboardButton variant="secondary" icon="copy" getText={() => uri}>
              Copy
            </ClipboardButton>
          }
        />
      </Field>
    </>
  );
}

export function CredentialFields({ settings }: { settings: Settings }) {
  return (
    <>
      <Field
        className={fieldStyles.medium}
        label="Client ID"
        htmlFor={selectors.config.clientId}
        noMargin
      >
        <Input
          id={selectors.config.clientId}
          data-testid={selectors.config.clientId}
          value={settings.jsonData.clientId ?? ''}
          autoComplete="off"
          disabled={settings.readOnly}
          onChange={(event) => settings.change({ clientId: event.currentTarget.value.trim() })}
        />
      </Field>
      <Field
        className={fieldStyles.medium}
        label="Client secret"
        htmlFor={selectors.config.clientSecret}
        noMargin
      >
        <SecretField settings={settings} />
      </Field>
    </>
  );
}

function SecretField({ settings }: { settings: Settings }) {
  const field = {
    id: selectors.config.clientSecret,
    'data-testid': selectors.config.clientSecret,
    autoComplete: 'new-password',
  };
  if (settings.readOnly) {
    // Grafana's field has a button that resets the secret, also when it is disabled.
    return <Input {...field} disabled value={settings.isSecretStored ? 'configured' : ''} />;
  }
  return (
    <SecretInput
      {...field}
      isConfigured={settings.isSecretStored}
      onReset={settings.resetSecret}
      onChange={(event) => settings.setSecret(event.currentTarget.value.trim())}
    />
  );
}
