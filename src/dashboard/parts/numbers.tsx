/** The numbers to read from across the room, and how far they can be trusted. */
import type { ComponentChildren } from 'preact';
import { ago, count, counted, share } from '../model/format.js';
import { activeStudents, passes, type ClassView } from '../model/view.js';

/** `at` is the relay's clock, in ms. */
export function Numbers({ view, at }: { view: ClassView; at: number }) {
  const { students, sessions, events } = view.coverage;
  const passed = passes(view);
  const possible = students * view.columns.length;
  return (
    <section aria-label="The class in numbers">
      <dl class="numbers">
        <Figure label="Active now" note="seen in the last 15 minutes">
          {count(activeStudents(view, at))}
          <span class="figure-of"> of {count(students)}</span>
        </Figure>
        <Figure
          label="Passed"
          note={`${share(passed, possible)} of students × exercises`}
        >
          {count(passed)}
          <span class="figure-of"> of {count(possible)}</span>
        </Figure>
        <Figure
          label="Exercises"
          note={`in ${counted(notebooks(view), 'notebook')}`}
        >
          {count(view.columns.length)}
        </Figure>
        <Figure label="Events" note={`in ${counted(sessions, 'session')}`}>
          {count(events)}
        </Figure>
      </dl>
      <CoverageLine view={view} at={at} />
    </section>
  );
}

function Figure(props: {
  label: string;
  note: string;
  children: ComponentChildren;
}) {
  return (
    <div class="figure">
      <dt>{props.label}</dt>
      <dd class="figure-number">{props.children}</dd>
      <dd class="figure-note">{props.note}</dd>
    </div>
  );
}

function CoverageLine({ view, at }: { view: ClassView; at: number }) {
  const { students, sessions, events, lastEventAt, setAside } = view.coverage;
  return (
    <p class="coverage">
      {counted(events, 'event')} from {counted(students, 'student')} in{' '}
      {counted(sessions, 'session')}
      {lastEventAt !== null && (
        <> · last event {ago(Date.parse(lastEventAt), at)}</>
      )}
      {' · '}
      <span class={setAside > 0 ? 'coverage-aside' : undefined}>
        {setAside === 0 ? 'none' : count(setAside)} set aside
      </span>
    </p>
  );
}

function notebooks(view: ClassView): number {
  return new Set(view.columns.map(column => column.notebook)).size;
}
