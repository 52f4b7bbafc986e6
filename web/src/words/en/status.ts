export const status = {
  reconnecting: 'Reconnecting…',
};
