/** The bar at the top: title, connection, course, theme. */
import { useState } from 'preact/hooks';
import type { CourseSummary } from '../../api/index.js';
import type { Link } from '../live/follow.js';
import {
  applyTheme,
  nextTheme,
  storedTheme,
  type Theme
} from '../live/theme.js';
import { clock } from '../model/format.js';
import { Icon } from './icon.js';

export function Top(props: {
  title: string | null;
  courses: CourseSummary[];
  course: string | null;
  onCourse: (course: string) => void;
  link: Link;
  now: number;
}) {
  const { title, courses, course, onCourse, link, now } = props;
  return (
    <header class="top">
      <div class="top-title">
        <p class="top-brand">ipynb-telemetry</p>
        <h1>{title ?? 'Class'}</h1>
      </div>
      <div class="top-tools">
        {courses.length > 1 && (
          <label class="field">
            <span class="quiet">Course</span>
            <select
              value={course ?? ''}
              onChange={event => onCourse(event.currentTarget.value)}
            >
              {courses.map(each => (
                <option key={each.course} value={each.course}>
                  {each.title}
                </option>
              ))}
            </select>
          </label>
        )}
        <LinkState link={link} now={now} />
        <ThemeButton />
      </div>
    </header>
  );
}

function LinkState({ link, now }: { link: Link; now: number }) {
  return (
    <p class={`link link-${link.kind}`} role="status">
      <span class="link-dot" aria-hidden="true" />
      {linkWords(link, now)}
    </p>
  );
}

function linkWords(link: Link, now: number): string {
  switch (link.kind) {
    case 'connecting':
      return 'Connecting';
    case 'live':
      return 'Live';
    case 'reconnecting':
      return `Reconnecting since ${clock(link.since, now)}`;
    case 'signed-out':
      return 'Signed out';
  }
}

const THEMES: Record<Theme, string> = {
  auto: 'Auto',
  light: 'Light',
  dark: 'Dark'
};

function ThemeButton() {
  const [theme, setTheme] = useState(storedTheme);
  return (
    <button
      type="button"
      class="button theme"
      aria-label={`Colours: ${THEMES[theme]}`}
      onClick={() => {
        const next = nextTheme(theme);
        applyTheme(next);
        setTheme(next);
      }}
    >
      <Icon name={theme} />
      {THEMES[theme]}
    </button>
  );
}
