import { type AnnotationSupport, type DataFrame, type Field, FieldType } from '@grafana/data';

import { AnnotationEditor } from './components/AnnotationEditor';
import type { OuraQuery } from './types';

/**
 * Annotation queries, which draw Oura's events in every panel. Grafana reads the frame's fields
 * `time`, `timeEnd`, `title`, `text` and `tags` by name.
 */
export class OuraAnnotations implements AnnotationSupport<OuraQuery> {
  QueryEditor = AnnotationEditor;

  getDefaultQuery(): Partial<OuraQuery> {
    return { queryType: 'annotations', kinds: ['workouts'] };
  }
}

/** The refId of the queries that Grafana sends for annotations. */
export const ANNOTATION_REF_ID = 'Anno';

/**
 * Gives each event of a frame an end and texts. Grafana takes the fields of all events from the
 * first one, and draws an end before the start as a negative region.
 */
export function completeEvents(frame: DataFrame): DataFrame {
  const isNamed = (field: Field, name: string) => field.name.toLowerCase() === name;
  const start =
    frame.fields.find((field) => isNamed(field, 'time')) ??
    frame.fields.find(({ type }) => type === FieldType.time);
  const complete = (field: Field): Field => {
    if (start && isNamed(field, 'timeend')) {
      const values = field.values.map((end, row) => Math.max(end ?? 0, start.values[row]));
      return { ...field, values };
    }
    return field.type === FieldType.string
      ? { ...field, values: field.values.map((text) => text ?? '') }
      : field;
  };
  return { ...frame, fields: frame.fields.map(complete) };
}
