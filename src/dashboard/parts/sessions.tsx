/** Who is at it, the latest first. */
import { useState } from 'preact/hooks';
import { sessionKey, type Coverage, type SessionRow } from '../../api/index.js';
import { ago, clock, count } from '../model/format.js';
import { ACTIVE_MS } from '../model/view.js';

/** Rows shown at first, and more at a time. */
const STEP = 50;

/** `at` is the relay's clock, in ms. */
export function Sessions(props: {
  sessions: readonly SessionRow[];
  coverage: Coverage;
  at: number;
}) {
  const { sessions, coverage, at } = props;
  const [shown, setShown] = useState(STEP);
  const rest = sessions.length - shown;
  return (
    <section class="card" aria-labelledby="sessions-title">
      <div class="card-head">
        <h2 id="sessions-title">Sessions</h2>
        <p class="quiet">{count(coverage.sessions)} in all, the latest first</p>
      </div>
      <div
        class="scroll"
        role="region"
        aria-labelledby="sessions-title"
        tabIndex={0}
      >
        <table class="sessions">
          <thead>
            <tr>
              <th scope="col">Student</th>
              <th scope="col">Last seen</th>
              <th scope="col">Exercise</th>
              <th scope="col">Last error</th>
              <th scope="col" class="number">
                Runs
              </th>
              <th scope="col" class="number">
                Errors
              </th>
              <th scope="col" class="number">
                Tests passed
              </th>
              <th scope="col">Notebook</th>
              <th scope="col">Started</th>
            </tr>
          </thead>
          <tbody>
            {sessions.slice(0, shown).map(row => (
              <SessionLine key={sessionKey(row)} row={row} at={at} />
            ))}
          </tbody>
        </table>
      </div>
      {rest > 0 && (
        <button
          type="button"
          class="button more"
          onClick={() => setShown(shown + STEP * 2)}
        >
          Show more ({count(rest)})
        </button>
      )}
    </section>
  );
}

function SessionLine({ row, at }: { row: SessionRow; at: number }) {
  const last = Date.parse(row.lastAt);
  const active = row.endedAt === null && at - last < ACTIVE_MS;
  return (
    <tr class={active ? 'is-active' : undefined}>
      <th scope="row">
        <span class="name" title={row.student}>
          {row.student}
        </span>
      </th>
      <td>
        <time dateTime={row.lastAt}>{ago(last, at)}</time>
        {row.endedAt !== null && <span class="quiet">, ended</span>}
      </td>
      <td>
        <Text value={row.exercise} />
      </td>
      <td class={row.lastError === null ? undefined : 'error'}>
        <Text value={row.lastError} />
      </td>
      <td class="number">{count(row.runs)}</td>
      <td class="number">{count(row.errors)}</td>
      <td class="number">
        {count(row.passes)}
        <span class="quiet"> of {count(row.tests)}</span>
      </td>
      <td>
        <Text value={row.notebook} />
      </td>
      <td>
        <time dateTime={row.startedAt}>
          {clock(Date.parse(row.startedAt), at)}
        </time>
      </td>
    </tr>
  );
}

function Text({ value }: { value: string | null }) {
  return value === null ? (
    <span class="quiet">–</span>
  ) : (
    <span class="name" title={value}>
      {value}
    </span>
  );
}
