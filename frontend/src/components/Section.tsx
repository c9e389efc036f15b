import { Box, Stack, Text } from '@grafana/ui';
import React, { type ReactNode } from 'react';

interface Props {
  title: string;
  description?: ReactNode;
  children: ReactNode;
}

/** A part of the configuration page with a heading. */
export function Section({ title, description, children }: Props) {
  return (
    <Box>
      <Stack direction="column" gap={2}>
        <Stack direction="column" gap={0.5}>
          <Text element="h3" variant="h4">
            {title}
          </Text>
          {description && <Text color="secondary">{description}</Text>}
        </Stack>
        {children}
      </Stack>
    </Box>
  );
}
