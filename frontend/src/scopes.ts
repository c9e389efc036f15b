/** The scopes that open all of Oura's collections, in the order in which they are asked for. */
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

/** What Oura describeScopes, in words; nothing when it did not say. */
export function describeScopes(scopes: string[]): string | undefined {
  if (scopes.length === 0) {
    return undefined;
  }
  const missing = SCOPES.filter(({ scope }) => !scopes.includes(scope)).map(({ opens }) => opens);
  return missing.length === 0
    ? 'All permissions describeScopes'
    : `Without permission for: ${missing.join(' · ')}`;
}
