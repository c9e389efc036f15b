import { Button, type ButtonProps, Field, Input } from '@grafana/ui';
import React, { type ReactNode, useState } from 'react';

import { ConfirmDialog } from './ConfirmDialog';

interface Props {
  /** The button's text, also the dialog's. */
  action: string;
  /** The dialog's title, a question. */
  question: string;
  /** The consequences of the action. */
  children: ReactNode;
  /** A word to type before the action can be confirmed. */
  wordToType?: string;
  onConfirm: () => void;
  button: Partial<ButtonProps> & { 'data-testid': string };
}

/** A button that asks for confirmation before it acts. */
export function ConfirmButton({
  action,
  question,
  children,
  wordToType,
  onConfirm,
  button,
}: Props) {
  const [isOpen, setOpen] = useState(false);
  const [typed, setTyped] = useState('');
  const isTyped = !wordToType || typed.trim().toLowerCase() === wordToType.toLowerCase();

  const close = () => {
    setOpen(false);
    setTyped('');
  };

  return (
    <>
      <Button {...button} onClick={() => setOpen(true)}>
        {action}
      </Button>
      <ConfirmDialog
        title={question}
        isOpen={isOpen}
        confirmText={action}
        isConfirmDisabled={!isTyped}
        onConfirm={onConfirm}
        onClose={close}
      >
        <p>{children}</p>
        {wordToType && (
          <Field label={`Type “${wordToType}” to confirm`} htmlFor="oura-confirmation" noMargin>
            <Input
              id="oura-confirmation"
              value={typed}
              autoComplete="off"
              onChange={(event) => setTyped(event.currentTarget.value)}
            />
          </Field>
        )}
      </ConfirmDialog>
    </>
  );
}
