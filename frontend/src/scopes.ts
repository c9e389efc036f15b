/** The scopes for all of Oura's collections, in the order of the login's request. */
export const SCOPES: Array<{ scope: string; opens: string }> = [
  { scope: 'email', opens: 'E-mail address' },
  { scope: 'personal', opens: 'Age, height, weight' },
  { scope: 'daily', opens: 'Sleep, readiness, activity' },
  { scope: 'heartrate', opens: 'Heart rate around the clock' },
  { scope: 'workout', opens: 'Workouts' },
  { scope: 'tag', opens: 'Tags' },
  { scope: 'session', opens: 'Meditation and breathing sessions' },
  { scope: 'spo2', opens: 'Blood oxygen' },
  { scope: 'stress', opens: 'Stress and resilience' },
  { scope: 'heart_health', opens: 'Cardiovascular age, VO₂ max' },
  { scope: 'ring_configuration', opens: 'Rings and their battery' },
];

/** Describes the granted scopes. Returns `undefined` if Oura did not return any. */
export function describeScopes(scopes: string[]): string | undefined {
  if (scopes.length === 0) {
    return undefined;
  }
  const missing = SCOPES.filter(({ scope }) => !scopes.includes(scope)).map(({ opens }) => opens);
  return missing.length === 0
    ? 'All permissions granted'
    : `Missing permissions: ${missing.join(' · ')}`;
}
