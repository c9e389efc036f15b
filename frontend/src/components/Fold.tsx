import { CollapsableSection } from '@grafana/ui';
import React, { type ReactNode, useState } from 'react';

interface Props {
  label: string;
  children: ReactNode;
}

/** A part of the page that is folded at first. */
export function Fold({ label, children }: Props) {
  const [isOpen, setOpen] = useState(false);
  return (
    <CollapsableSection label={label} isOpen={isOpen} onToggle={setOpen}>
      {children}
    </CollapsableSection>
  );
}
