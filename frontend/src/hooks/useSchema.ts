import { useEffect, useState } from 'react';

import type { OuraDataSource } from '../datasource';
import type { Schema } from '../types';

/**
 * What queries may name; nothing while it is on its way, or when it cannot be had: a query can be written without it. No control
 * turns meanwhile: Grafana's icons keep a picture that is exchanged while it loads, so that a spinner would stay.
 */
export function useSchema(datasource: OuraDataSource): Schema | undefined {
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
