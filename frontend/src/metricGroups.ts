/** Groups of metrics by subject. */

/** The groups with the names that belong to each. The first one that matches counts. */
const GROUPS: Array<[group: string, names: RegExp]> = [
  ['Stress', /stress|recovery_high|resilience/],
  ['Tags', /^(enhanced_)?tag|^days\.tags$/],
  ['Workouts', /^workout|^session|^days\.workouts$/],
  ['Ring', /^ring|battery/],
  ['Body', /temperature|^personal|weight|spo2|breathing_disturbance/],
  ['Heart', /heart|bpm|hrv|vascular|pulse_wave|vo2/],
  ['Readiness', /readiness/],
  ['Sleep', /sleep|^nights|^nap|average_breath|days\.efficiency/],
  ['Activity', /activity|steps|calories|[._]met|walking|_time$|load/],
];

/** The order of the groups in the list. */
export const METRIC_GROUPS = [
  ...['Sleep', 'Readiness', 'Activity', 'Heart', 'Stress', 'Body', 'Workouts', 'Tags', 'Ring'],
  'Other',
];

export function metricGroup(name: string): string {
  // The nights of a ring belong together, except their scores of readiness.
  if (name.startsWith('nights.') && !name.includes('readiness')) {
    return 'Sleep';
  }
  return GROUPS.find(([, names]) => names.test(name))?.[0] ?? 'Other';
}
