import type { AnnotationSupport } from '@grafana/data';

import { AnnotationEditor } from './components/AnnotationEditor';
import type { OuraQuery } from './types';

/** What happened, over every panel: Grafana reads `time`, `timeEnd`, `title`, `text` and `tags` of the frame by itself. */
export class OuraAnnotations implements AnnotationSupport<OuraQuery> {
  QueryEditor = AnnotationEditor;

  getDefaultQuery(): Partial<OuraQuery> {
    return { queryType: 'annotations', kinds: ['workouts'] };
  }
}
