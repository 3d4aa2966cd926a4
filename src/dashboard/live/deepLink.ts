/** The course in the page's address, so that a link or a reload shows the same one. */

/** The course that `?course=` names; null where it names none. */
export function courseInUrl(): string | null {
  return new URLSearchParams(location.search).get('course');
}

/** Writes the course into the address, without a new entry in the history. */
export function putCourseInUrl(course: string): void {
  if (courseInUrl() !== course) {
    const url = new URL(location.href);
    url.searchParams.set('course', course);
    history.replaceState(null, '', url);
  }
}
