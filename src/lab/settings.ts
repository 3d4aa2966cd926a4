/** A student's own choices in JupyterLab's settings. They only ever make less leave. */

/** Kinds of events that a student can keep to themself. */
export const WITHHELD = ['focus', 'edit', 'notebook', 'kernel', 'ai'] as const;

/** What the settings say. */
export interface PersonalSettings {
  /** `course`: what was agreed to; `outcomes`: no code and no messages in any course. */
  level: 'course' | 'outcomes';
  /** Kinds of events that are not shared, whatever the course collects. */
  withhold: readonly (typeof WITHHELD)[number][];
  /** Whether the status item is shown. */
  showStatus: boolean;
}

/** Where nothing was chosen. */
export const NO_CHOICES: PersonalSettings = {
  level: 'course',
  withhold: [],
  showStatus: true
};

/** Reads the settings; what makes no sense is left out. */
export function readSettings(composite: {
  [key: string]: unknown;
}): PersonalSettings {
  const { level, withhold, showStatus } = composite;
  const chosen: readonly unknown[] = Array.isArray(withhold) ? withhold : [];
  return {
    level: level === 'outcomes' ? 'outcomes' : 'course',
    withhold: WITHHELD.filter(kind => chosen.includes(kind)),
    showStatus: showStatus !== false
  };
}
