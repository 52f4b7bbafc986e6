/**
 * Reloads the page. In its own module because browsers and jsdom do not let tests replace `location`.
 */
export const reload = (): void => location.reload();
