/** Setup cells in notebooks, for programs: text in and text out, and whole files. */
export {
  checkSetupCell,
  insertSetupCell,
  removeSetupCell,
  updateSetupCell,
  type Checked,
  type Edited,
  type SetupOptions,
  type SetupState
} from './edit.js';
export { decodeNotebook, editNotebookFile } from './files.js';
export { idFromTemplate, idOfFile, isTemplate, MAX_ID } from './notebookId.js';
export type { Refusal, RefusalCode } from './refusal.js';
export {
  METADATA_KEY,
  PACKAGE_NAME,
  setupCellNode,
  SetupCellError,
  setupCellSource,
  SETUP_CELL_ID,
  type PackageOptions,
  type SetupCellNode,
  type SetupTag
} from './setupCell.js';
