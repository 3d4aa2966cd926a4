/** The credential that stands in a request's `Authorization` header. */

/** What follows `Bearer`; undefined where the header holds no such thing. */
export function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
}
