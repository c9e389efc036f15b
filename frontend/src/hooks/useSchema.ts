import { useEffect, useState } from 'react';

import type { SchemaSource } from '../schemaSource';
import type { Schema } from '../types';

/**
 * Loads the schema. Returns `undefined` while it loads and after a failure: editors work without
 * it. They show no spinner, because Grafana's icon component keeps a spinner on the screen if
 * another icon replaces it too early.
 */
export function useSchema(datasource: SchemaSource): Schema | undefined {
  const [schema, setSchema] = useState<Schema>();

  useEffect(() => {
    let current = true;
    datasource.getSchema().then(
      (schema) => current && setSchema(schema),
      () => current && setSchema(undefined)
    );
    return () => {
      current = false;
    };
  }, [datasource]);

  return schema;
}
