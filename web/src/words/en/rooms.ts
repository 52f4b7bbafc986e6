export const rooms = {
  skip: 'Skip to the conversation',
  list: 'Rooms and people',
  roomRegion: 'Room',
  unknown: 'This room is not among yours. It may be one to join, or it is gone.',
  join: 'Join',
  browse: 'Browse rooms',
};
