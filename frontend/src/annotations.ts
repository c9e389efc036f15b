import type { AnnotationSupport } from '@grafana/data';

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
