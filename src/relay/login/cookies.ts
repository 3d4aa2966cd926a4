/** Reads the cookies of a request. */

/** The value of a cookie by its name; the first where it came twice. */
export function cookieOf(
  cookies: string | undefined,
  name: string
): string | undefined {
  return cookies
    ?.split(';')
    .map(cookie => cookie.trim())
    .find(cookie => cookie.startsWith(`${name}=`))
    ?.slice(name.length + 1);
}
