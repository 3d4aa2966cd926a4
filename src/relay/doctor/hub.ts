/** Asks the JupyterHub whether it is there and knows the relay. */
import type { RelayConfig } from '../config/options.js';
import type { Course } from '../courses/courseFile.js';
import { createHubApi } from '../hub/hubApi.js';
import { about, type Finding } from './findings.js';

/** Never rejects. Nothing is found where there is no Hub and nobody needs one. */
export async function checkHub(
  config: Pick<RelayConfig, 'hub-api-url' | 'hub-token' | 'hub-service'>,
  courses: readonly Pick<Course, 'id' | 'students'>[],
  { offline }: { offline: boolean }
): Promise<Finding[]> {
  const hub = about('JupyterHub');
  const apiUrl = config['hub-api-url'];
  const token = config['hub-token'];
  const service = config['hub-service'];
  if (apiUrl === null) {
    const demanding = courses.filter(({ students }) => students === 'verified');
    return demanding.map(({ id }) =>
      hub.problem(
        `course ${id} demands verified students, and no Hub is configured`,
        `Name it by hub-api-url, or: course set ${id} --students claimed.`
      )
    );
  }
  if (offline) {
    return [];
  }
  const api = createHubApi({ apiUrl, token });
  try {
    if (token === null) {
      // Any answer to a token that nobody has is the Hub's word.
      await api.userOf('no-token-of-anybody');
      return [hub.ok(`answers at ${apiUrl}; without hub-token nobody logs in`)];
    }
    const name = await api.serviceOf(token);
    return [
      name === null
        ? hub.problem(
            `${apiUrl} does not take hub-token for a service's`,
            'Give the api_token of the service in the configuration of the Hub.'
          )
        : name === service
          ? hub.ok(`answers at ${apiUrl} and knows the service ${name}`)
          : hub.problem(
              `the Hub knows the relay as ${JSON.stringify(name)}, and hub-service is ${JSON.stringify(service)}`,
              'Instructors could not log in. Make both the same.'
            )
    ];
  } catch (error) {
    return [
      hub.problem(
        (error as Error).message,
        'Until it answers, batches with a Hub token are answered 503, and kept by their clients.'
      )
    ];
  }
}
