/** What of a Hub's answers counts; a real Hub is asked in test/servers. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { checkHub } from '../../../src/relay/doctor/hub.js';
import type { Finding } from '../../../src/relay/doctor/findings.js';
import {
  createHubApi,
  HubUnavailableError,
  type HubApi
} from '../../../src/relay/hub/hubApi.js';

const TOKEN = 'secret-token-of-ada';
let answer: { status: number; body: string; headers?: Record<string, string> };
let asked: { url: string; authorization: string | undefined }[];
let server: Server;
let hub: HubApi;

beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    const { url = '', headers } = request;
    asked.push({ url, authorization: headers.authorization });
    if (answer.status > 0) {
      response.writeHead(answer.status, answer.headers).end(answer.body);
    }
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  hub = createHubApi({
    apiUrl: `http://127.0.0.1:${port}/hub/api`,
    token: 'secret-of-the-service',
    timeoutMs: 2000
  });
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const says = (status: number, body: unknown, headers = {}): void => {
  answer = { status, body: JSON.stringify(body), headers };
};

describe('whose a token is', () => {
  it('is what the Hub says of a user', async () => {
    says(200, {
      kind: 'user',
      name: 'ada',
      groups: ['course-a', 7],
      admin: false,
      scopes: ['access:servers!user']
    });
    expect(await hub.userOf(TOKEN)).toEqual({
      name: 'ada',
      groups: ['course-a'],
      admin: false,
      scopes: ['access:servers!user']
    });
    expect(asked).toEqual([
      { url: '/hub/api/user', authorization: `token ${TOKEN}` }
    ]);
  });

  it.each([
    ['refused', 403, { message: 'Missing or invalid credentials.' }],
    ['refused by a proxy', 401, {}],
    ["a service's", 200, { kind: 'service', name: 'other' }],
    ['of nobody', 200, { kind: 'user', name: '' }]
  ])('is nobody’s where it is %s', async (_what, status, body) => {
    says(status, body);
    expect(await hub.userOf(TOKEN)).toBeNull();
  });

  it.each([
    ['an error', 500, { message: TOKEN }],
    ['another program', 200, { hello: TOKEN }],
    ['nothing at that address', 404, {}],
    ['a redirect, which is not followed', 302, {}],
    ['no end', 200, { kind: 'user', name: 'ada', x: 'x'.repeat(2_000_000) }],
    ['no answer', 0, {}]
  ])('is not known where there is %s', async (_what, status, body) => {
    says(status, body, { location: '/elsewhere' });
    const error: unknown = await hub.userOf(TOKEN).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(HubUnavailableError);
    expect(`${String(error)} ${(error as Error).stack}`).not.toContain(TOKEN);
    expect(asked).toHaveLength(1);
  });

  it('is not known where nobody listens', async () => {
    await new Promise(resolve => server.close(resolve));
    await expect(hub.userOf(TOKEN)).rejects.toThrow('ECONNREFUSED');
  });
});

describe('the code of a log-in', () => {
  const grant = { clientId: 'service-x', code: 'c', redirectUri: '/x' };

  it('becomes a token, or none where the Hub refuses it', async () => {
    says(200, { access_token: 'access-0123456789', token_type: 'Bearer' });
    expect(await hub.redeem(grant)).toBe('access-0123456789');
    says(400, { error: 'invalid_grant' });
    expect(await hub.redeem(grant)).toBeNull();
    says(200, { token_type: 'Bearer' });
    await expect(hub.redeem(grant)).rejects.toThrow(HubUnavailableError);
  });
});

describe('the doctor', () => {
  it('misses a Hub where a course demands verified students, and only there', async () => {
    const none = {
      'hub-api-url': null,
      'hub-token': null,
      'hub-service': 'telemetry'
    };
    const check = (students?: 'verified'): Promise<Finding[]> =>
      checkHub(none, [{ id: 'demo', ...(students ? { students } : {}) }], {
        offline: false
      });
    expect(await check()).toEqual([]);
    expect(await check('verified')).toEqual([
      expect.objectContaining({
        level: 'problem',
        found: expect.stringContaining('course demo')
      })
    ]);
  });
});
