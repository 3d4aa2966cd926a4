/** The page: which course, what is known of it, and what to say while nothing is. */
import { useEffect, useState } from 'preact/hooks';
import type { CourseSummary } from '../../api/index.js';
import { fetchCourses } from '../live/api.js';
import { courseInUrl, putCourseInUrl } from '../live/deepLink.js';
import type { Link } from '../live/follow.js';
import {
  NoCourse,
  NoEvents,
  SignedOut,
  SignedOutBanner,
  UnknownCourse
} from './empty.js';
import { Announcer } from './announcer.js';
import { Grid } from './grid.js';
import { Numbers } from './numbers.js';
import { Sessions } from './sessions.js';
import { Top } from './top.js';
import { useClass, useNow } from './useClass.js';

/** How soon to ask again for the courses where the relay did not answer, in ms. */
const RETRY_MS = 3_000;

export function App() {
  const { courses, link: entry } = useCourses();
  const [chosen, setChosen] = useState(courseInUrl);
  const course = chosen ?? courses?.[0]?.course ?? null;
  const known = courses?.some(each => each.course === course) ?? false;
  const { view, link } = useClass(known ? course : null);
  const now = useNow();

  const title = view?.title ?? courses?.find(c => c.course === course)?.title;
  useEffect(() => {
    document.title = title ? `${title} · class` : 'Class · ipynb-telemetry';
    if (known && course !== null) {
      putCourseInUrl(course);
    }
  }, [title, known, course]);

  return (
    <>
      <Top
        title={title ?? null}
        courses={courses ?? []}
        course={course}
        onCourse={setChosen}
        link={known ? link : entry}
        now={now}
      />
      <main>
        {body()}
        {view && <Announcer news={view.news} />}
      </main>
    </>
  );

  function body() {
    if ((known ? link : entry).kind === 'signed-out' && !view) {
      return <SignedOut />;
    }
    if (courses === null) {
      return null;
    }
    if (courses.length === 0) {
      return <NoCourse />;
    }
    if (!known) {
      return <UnknownCourse course={course ?? ''} />;
    }
    if (!view) {
      return null;
    }
    if (view.coverage.events === 0) {
      return <NoEvents />;
    }
    const at = now + view.skew;
    return (
      <>
        {link.kind === 'signed-out' && <SignedOutBanner />}
        <Numbers view={view} at={at} />
        <Grid view={view} at={at} />
        <Sessions sessions={view.sessions} coverage={view.coverage} at={at} />
      </>
    );
  }
}

/** The courses, asked for until there is an answer. */
function useCourses(): { courses: CourseSummary[] | null; link: Link } {
  const [courses, setCourses] = useState<CourseSummary[] | null>(null);
  const [link, setLink] = useState<Link>({ kind: 'connecting' });
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stopped = false;
    const since = Date.now();
    const ask = async (): Promise<void> => {
      const answer = await fetchCourses();
      if (stopped) {
        return;
      }
      if (answer.kind === 'ok') {
        setCourses(answer.courses);
        setLink({ kind: 'live' });
        return;
      }
      setLink(
        answer.kind === 'signed-out'
          ? { kind: 'signed-out' }
          : { kind: 'reconnecting', since }
      );
      timer = setTimeout(() => void ask(), RETRY_MS);
    };
    void ask();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, []);
  return { courses, link };
}
