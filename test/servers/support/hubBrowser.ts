/** A browser as far as a log-in needs one: cookies, by path, and redirects, one by one. */

/** What came of following an address to its end. */
export interface Visit {
  status: number;
  /** Where it ended. */
  url: string;
  text: string;
  /** Every address on the way, the last one included. */
  way: string[];
  setCookies: string[];
}

interface Cookie {
  name: string;
  value: string;
  path: string;
}

export class Browser {
  #cookies: Cookie[] = [];

  cookie(name: string): string | undefined {
    return this.#cookies.find(cookie => cookie.name === name)?.value;
  }

  /** One request; redirects are not followed. */
  async ask(url: string, init: RequestInit = {}): Promise<Response> {
    const { pathname } = new URL(url);
    const cookies = this.#cookies
      .filter(({ path }) => pathname.startsWith(path))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      headers: {
        ...(init.headers as Record<string, string>),
        ...(cookies === '' ? {} : { cookie: cookies })
      }
    });
    for (const header of response.headers.getSetCookie()) {
      const [pair, ...rest] = header.split(';').map(part => part.trim());
      const [name, ...value] = pair!.split('=');
      const attribute = (key: string): string | undefined =>
        rest
          .find(part => part.toLowerCase().startsWith(`${key}=`))
          ?.slice(key.length + 1);
      const path = attribute('path') ?? '/';
      this.#cookies = this.#cookies.filter(
        cookie => cookie.name !== name || cookie.path !== path
      );
      if (attribute('max-age') !== '0') {
        this.#cookies.push({ name: name!, value: value.join('='), path });
      }
    }
    return response;
  }

  /** Follows redirects to their end. */
  async visit(url: string, init: RequestInit = {}): Promise<Visit> {
    const way = [url];
    const setCookies: string[] = [];
    let response = await this.ask(url, init);
    setCookies.push(...response.headers.getSetCookie());
    while (response.status >= 300 && response.status < 400) {
      const next = new URL(response.headers.get('location')!, way.at(-1)).href;
      if (way.length > 15) {
        throw new Error(`redirected without end: ${way.join(' ')}`);
      }
      way.push(next);
      response = await this.ask(next);
      setCookies.push(...response.headers.getSetCookie());
    }
    return {
      status: response.status,
      url: way.at(-1)!,
      text: await response.text(),
      way,
      setCookies
    };
  }

  /** Visits an address for which the Hub asks who it is, and answers. */
  async visitAs(url: string, username: string): Promise<Visit> {
    const asked = await this.visit(url);
    const form = /<form[^>]*action="([^"]*\/login[^"]*)"/.exec(asked.text)?.[1];
    if (form === undefined) {
      throw new Error(`no log-in form at ${asked.url}: ${asked.text}`);
    }
    const action = new URL(form.replaceAll('&amp;', '&'), asked.url).href;
    return this.visit(action, {
      method: 'POST',
      body: new URLSearchParams({ username, password: 'any' })
    });
  }
}
