import { type Scope, SCOPES as SCOPE_NAMES } from './contract';

const LABELS: Record<Scope, string> = {
  email: 'E-mail address',
  personal: 'Age, height, weight',
  daily: 'Sleep, readiness, activity',
  heartrate: 'Heart rate around the clock',
  workout: 'Workouts',
  tag: 'Tags',
  session: 'Meditation and breathing sessions',
  spo2: 'Blood oxygen',
  stress: 'Stress and resilience',
  heart_health: 'Cardiovascular age, VO₂ max',
  ring_configuration: 'Rings and their battery',
};

/** The scopes that cover all of Oura's collections, in the order of the login request. */
export const SCOPES: Array<{ scope: string; label: string }> = SCOPE_NAMES.map((scope) => ({
  scope,
  label: LABELS[scope],
}));
