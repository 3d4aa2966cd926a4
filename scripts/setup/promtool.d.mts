/** Types of promtool.mjs. */

/** The path of promtool, found or unpacked. */
export function ensurePromtool(): Promise<string>;
