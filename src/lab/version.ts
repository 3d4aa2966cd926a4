/** The version that the extension writes into its events (equal to package.json's, by test). */
export const VERSION = '0.1.0';
