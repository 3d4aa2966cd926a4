/** What to do where there is nothing to show yet. */
import type { ComponentChildren } from 'preact';

export function SignedOut() {
  return (
    <Card title="Signed out">
      <p>
        <a href="login">Log in</a>, or open a link that only the relay gives
        out. On its machine run
      </p>
      <Command>ipynb-telemetry link</Command>
      <p>and open the address it prints.</p>
    </Card>
  );
}

/** Above what is known already: it stays, but it stands still. */
export function SignedOutBanner() {
  return (
    <p class="banner">
      Signed out: nothing below is live any more. Run{' '}
      <code>ipynb-telemetry link</code> on the relay&rsquo;s machine and open
      the address it prints.
    </p>
  );
}

export function NoCourse() {
  return (
    <Card title="No course yet">
      <p>
        A course comes with the key that its notebooks send with. On the
        relay&rsquo;s machine run
      </p>
      <Command>
        ipynb-telemetry course add my-course --title "My course"
      </Command>
      <p>and reload this page.</p>
    </Card>
  );
}

export function UnknownCourse({ course }: { course: string }) {
  return (
    <Card title="No such course">
      <p>
        The address asks for <strong class="name">{course}</strong>, which this
        relay does not know. Choose a course above.
      </p>
    </Card>
  );
}

export function NoEvents() {
  return (
    <Card title="Nothing has arrived yet">
      <ol>
        <li>Open the notebook of the course.</li>
        <li>Run its setup cell and enter a name.</li>
        <li>Run any cell. It shows up here within a second.</li>
      </ol>
      <p class="quiet">
        Nothing after that? The setup cell says whether it has a key and reaches
        this relay.
      </p>
    </Card>
  );
}

function Card(props: { title: string; children: ComponentChildren }) {
  return (
    <section class="card notice">
      <h2>{props.title}</h2>
      {props.children}
    </section>
  );
}

function Command({ children }: { children: string }) {
  return (
    <pre class="command">
      <code>{children}</code>
    </pre>
  );
}
