import { Button, Field, Input, LinkButton, Stack, Text } from '@grafana/ui';
import React, { useState } from 'react';

import { type LoginRedirect, parseRedirectUrl } from '../loginRedirect';
import { fieldStyles } from './fieldStyles';
import { selectors } from './selectors';

interface Props {
  /** Oura's login page, if a started login can't redirect to this page. */
  authorizeUrl?: string;
  disabled: boolean;
  onSubmit: (redirect: LoginRedirect) => void;
}

/** Finishes a login with a pasted redirect URL, for a browser that Oura can't redirect here. */
export function PasteRedirectUrl({ authorizeUrl, disabled, onSubmit }: Props) {
  const [isOpen, setOpen] = useState(false);

  if (!authorizeUrl && !isOpen) {
    return (
      <div>
        <Button size="sm" variant="secondary" fill="text" onClick={() => setOpen(true)}>
          Not redirected back to Grafana?
        </Button>
      </div>
    );
  }
  return (
    <Stack direction="column" gap={2}>
      {authorizeUrl && (
        <div>
          <LinkButton
            href={authorizeUrl}
            target="_blank"
            rel="noopener noreferrer"
            icon="external-link-alt"
          >
            Open Oura’s login page
          </LinkButton>
        </div>
      )}
      <Text color="secondary">
        After you allow access at Oura, your browser opens an address that it can’t load. Copy that
        address and paste it here.
      </Text>
      <RedirectUrlField disabled={disabled} onSubmit={onSubmit} />
    </Stack>
  );
}

function RedirectUrlField({ disabled, onSubmit }: Omit<Props, 'authorizeUrl'>) {
  const [text, setText] = useState('');
  const redirect = parseRedirectUrl(text);

  const submit = () => {
    if (redirect) {
      setText('');
      onSubmit(redirect);
    }
  };

  return (
    <Field
      className={fieldStyles.wide}
      label="Redirect URL"
      description="It contains a one-time code that expires after ten minutes."
      htmlFor={selectors.config.redirectUrl}
      invalid={text.trim() !== '' && !redirect}
      error={
        'Invalid redirect URL: missing code or state. ' +
        'Copy the whole address, or select Connect to start again.'
      }
      noMargin
    >
      <Input
        id={selectors.config.redirectUrl}
        data-testid={selectors.config.redirectUrl}
        value={text}
        placeholder="http://localhost:3000/connections/datasources/edit/…?code=…&state=…"
        autoComplete="off"
        spellCheck={false}
        disabled={disabled}
        onChange={(event) => setText(event.currentTarget.value)}
        addonAfter={
          <Button
            data-testid={selectors.config.finish}
            disabled={disabled || !redirect}
            onClick={submit}
          >
            Finish login
          </Button>
        }
      />
    </Field>
  );
}
