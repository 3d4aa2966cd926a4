/** What the events of a class mean for those who teach it. */
export {
  createClassState,
  MAX_SESSIONS,
  type ClassState
} from './classState.js';
