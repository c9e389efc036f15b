import { Button, Field, Input, LinkButton, Stack, Text } from '@grafana/ui';
import React, { useState } from 'react';

import { type LoginRedirect, parseRedirectUrl } from '../loginRedirect';
import { selectors } from './selectors';

interface Props {
  /** Of a login whose answer will not come back by itself. */
  authorizeUrl?: string;
  disabled: boolean;
  onAnswer: (answer: LoginRedirect) => void;
}

/** The way to finish a login when Oura could not send the browser back here. */
export function PasteRedirectUrl({ authorizeUrl, disabled, onAnswer }: Props) {
  const [asked, setAsked] = useState(false);

  if (authorizeUrl) {
    return (
      <Stack direction="column" gap={2}>
        <Stack direction="row" gap={1} alignItems="center" wrap="wrap">
          <LinkButton
            href={authorizeUrl}
            target="_blank"
            rel="noopener noreferrer"
            icon="external-link-alt"
          >
            Open Oura’s login
          </LinkButton>
          <Text color="secondary">
            After <em>Allow</em> the browser shows a page that it cannot reach. Copy that page’s
            address.
          </Text>
        </Stack>
        <RedirectUrlField disabled={disabled} onAnswer={onAnswer} />
      </Stack>
    );
  }
  if (!asked) {
    return (
      <div>
        <Button size="sm" variant="secondary" fill="text" onClick={() => setAsked(true)}>
          The browser did not come back?
        </Button>
      </div>
    );
  }
  return <RedirectUrlField disabled={disabled} onAnswer={onAnswer} />;
}

function RedirectUrlField({ disabled, onAnswer }: Omit<Props, 'authorizeUrl'>) {
  const [text, setText] = useState('');
  const answer = parseRedirectUrl(text);

  return (
    <Field
      label="Address the browser ended at"
      description="It carries what finishes the login, once and within minutes."
      htmlFor={selectors.config.paste}
      invalid={text.trim() !== '' && !answer}
      error="There is no code with its state in this address. Press Connect to get one."
      noMargin
    >
      <Input
        id={selectors.config.paste}
        data-testid={selectors.config.paste}
        value={text}
        width={80}
        placeholder="http://localhost:3000/connections/datasources/edit/…?code=…&state=…"
        autoComplete="off"
        spellCheck={false}
        disabled={disabled}
        onChange={(event) => setText(event.currentTarget.value)}
        addonAfter={
          <Button
            data-testid={selectors.config.finish}
            disabled={disabled || !answer}
            onClick={() => {
              if (answer) {
                setText('');
                onAnswer(answer);
              }
            }}
          >
            Finish
          </Button>
        }
      />
    </Field>
  );
}
