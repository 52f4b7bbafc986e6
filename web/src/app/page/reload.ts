/** Load the page anew. On its own, as tests cannot replace `location`: browsers and jsdom lock it. */
export const reload = (): void => location.reload();
