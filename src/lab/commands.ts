/** Ids of the commands, for menus, the palette and other extensions. */

/** What a student can do, in the order of the menu. */
export const COMMANDS = {
  panel: 'ipynb-telemetry:open-panel',
  pause: 'ipynb-telemetry:toggle-pause',
  decide: 'ipynb-telemetry:decide',
  withdraw: 'ipynb-telemetry:withdraw'
} as const;

/** Captures an event of another extension. */
export const CAPTURE = 'ipynb-telemetry:capture';
