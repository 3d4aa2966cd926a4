/** Every error that the relay answers with: its stable code, its status, and what the reader can do. */

interface ErrorSpec {
  status: number;
  /** What was expected, what came and what to do; `{name}` stands for a detail. */
  message: string;
}

/** Codes never change their meaning; documented in docs/relay.md, which a test compares. */
export const ERRORS = {
  empty_body: {
    status: 400,
    message:
      'expected events, got an empty body. Send JSON such as {"api_key": "nbt_…", "batch": […]}.'
  },
  bad_gzip: {
    status: 400,
    message:
      'expected a gzip stream, got bytes that cannot be decompressed. Send the body again from the start, or without compression.'
  },
  bad_lz64: {
    status: 400,
    message:
      "expected what lz-string's compressToBase64 writes, got something else. Send the body again from the start, or without compression."
  },
  bad_encoding: {
    status: 400,
    message:
      'expected a body compressed as {encoding}, got bytes that cannot be decompressed. Send the body again from the start, or without compression.'
  },
  unsupported_compression: {
    status: 400,
    message:
      'expected plain JSON, gzip, lz64 or base64, got {given}. Send the body in one of these.'
  },
  not_utf8: {
    status: 400,
    message:
      'expected text in UTF-8, got other bytes. Encode the JSON as UTF-8.'
  },
  not_json: {
    status: 400,
    message:
      'expected JSON, got {given}. Check what the client serializes and whether a proxy changes bodies.'
  },
  not_events: {
    status: 400,
    message:
      'expected one event, a list of events or {"batch": [events]}, got {given}.'
  },
  no_valid_event: {
    status: 400,
    message:
      'expected at least one event that keeps to the contract, got {count} that do not; "rejected" says why for each.'
  },
  missing_key: {
    status: 401,
    message:
      'expected a course key as "api_key", got none. Put the key that `ipynb-telemetry course add` printed there.'
  },
  unknown_key: {
    status: 401,
    message:
      'expected a course key of this relay, got one that it does not know. Make one with `ipynb-telemetry key add COURSE`.'
  },
  revoked_key: {
    status: 401,
    message:
      'expected a valid course key, got one that was revoked. Ask whoever runs the course for the present one.'
  },
  expired_key: {
    status: 401,
    message:
      'expected a valid key, got one whose time is over. Ask whoever runs the course for a new one.'
  },
  several_keys: {
    status: 401,
    message:
      'expected one course key for the whole request, got events with different ones. Send each course its own request.'
  },
  login_required: {
    status: 401,
    message:
      'expected a logged-in browser or a key that may read, got neither. Open a link made by `ipynb-telemetry link`, or make a key with `ipynb-telemetry key add COURSE --role instructor`.'
  },
  forbidden: {
    status: 403,
    message:
      'expected the role {needed}, got {role}. Ask whoever runs the relay for a key with that role.'
  },
  cross_site: {
    status: 403,
    message:
      "expected a request of the relay's own page, got one of another site. Open the relay's page and repeat it there."
  },
  unverified_student: {
    status: 401,
    message:
      "expected the Hub's token of a student, which this course demands, got {given}. Start Jupyter from the Hub, with the server extension; nothing is lost meanwhile."
  },
  origin_not_allowed: {
    status: 403,
    message:
      'expected a page of an origin that the course allows, got one of another. Whoever runs the course allows it with `ipynb-telemetry course set COURSE --origins`.'
  },
  not_verified: {
    status: 403,
    message:
      'expected a student whom the JupyterHub vouches for, got a course key, which the whole class has. Ask {contact} to show, export or delete what is stored of you.'
  },
  not_found: {
    status: 404,
    message:
      'there is nothing at {path}. Events go to /batch/, the page is at /.'
  },
  unknown_course: {
    status: 404,
    message:
      'expected the id of a course, got {given}. GET api/v1/courses lists them.'
  },
  method_not_allowed: {
    status: 405,
    message: 'expected {allowed}, got {method}.'
  },
  body_timeout: {
    status: 408,
    message:
      'expected the whole body within {seconds} s, got {bytes} bytes. Send it again, in smaller batches if the line is slow.'
  },
  body_too_large: {
    status: 413,
    message:
      'expected at most {limit} bytes, got {given}. Send the events in several requests.'
  },
  decompressed_too_large: {
    status: 413,
    message:
      'expected at most {limit} bytes of JSON, got more after decompression. Send the events in several requests.'
  },
  too_many_events: {
    status: 413,
    message:
      'expected at most {limit} events in a request, got {given}. Send them in several requests.'
  },
  too_complex: {
    status: 413,
    message:
      'expected at most {limit} objects and lists in a request, got more. Send the events in several requests.'
  },
  unsupported_media_type: {
    status: 415,
    message: 'expected {expected}, got another one.'
  },
  internal_error: {
    status: 500,
    message:
      'the relay made a mistake; its log says more under request id {id}. Send the request again later.'
  },
  starting: {
    status: 503,
    message: 'the relay is starting. Send the request again in a moment.'
  },
  stopping: {
    status: 503,
    message: 'the relay is stopping. Send the request again in a moment.'
  },
  busy: {
    status: 503,
    message:
      'the relay holds as many bodies as it can. Send the request again in a moment.'
  },
  hub_unavailable: {
    status: 503,
    message:
      'the JupyterHub that vouches for students cannot be asked now, so the events are not accepted. Send the request again in a moment.'
  },
  rate_limited: {
    status: 503,
    message:
      'expected at most {limit} {whose} in {seconds} s, got more. Send the request again when the time in Retry-After is over.'
  },
  pseudonyms_unavailable: {
    status: 503,
    message:
      'the events cannot be put under pseudonyms now, so they are not accepted. Send the request again in a moment.'
  },
  log_unavailable: {
    status: 503,
    message:
      'the events could not be made durable, so they are not accepted. Send the request again in a moment.'
  }
} as const satisfies Record<string, ErrorSpec>;

/** Stable name of an error. */
export type ErrorCode = keyof typeof ERRORS;

/** Seconds after which a client that was turned away (503) may come again. */
export const RETRY_AFTER_S = 2;

/** What an error's answer carries. */
export interface ErrorBody {
  /** The status in words. */
  error: string;
  code: ErrorCode;
  message: string;
}

/** An answer other than 200, raised where it is found out and written by the edge. */
export class RelayError extends Error {
  readonly status: number;
  /** For 503: seconds after which it may work. */
  retryAfterS = RETRY_AFTER_S;

  /**
   * @param details values for the placeholders of the message; never a secret.
   * @param extra further members of the answer's body.
   */
  constructor(
    readonly code: ErrorCode,
    details: Record<string, string | number> = {},
    readonly extra: Record<string, unknown> = {},
    options?: ErrorOptions
  ) {
    const { status, message } = ERRORS[code];
    super(
      message.replace(/\{(\w+)\}/g, (placeholder, name: string) =>
        name in details ? String(details[name]) : placeholder
      ),
      options
    );
    this.name = 'RelayError';
    this.status = status;
  }

  /** The answer's body. */
  body(): ErrorBody & Record<string, unknown> {
    return {
      error: STATUS_TEXT[this.status] ?? 'Error',
      code: this.code,
      message: this.message,
      ...this.extra
    };
  }
}

const STATUS_TEXT: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  500: 'Internal Server Error',
  503: 'Service Unavailable'
};
