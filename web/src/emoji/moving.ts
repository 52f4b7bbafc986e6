/** The target of an arrow key in groups of emoji that are laid out in rows. */

export interface GridPosition {
  group: number;
  index: number;
}

const FAR = Number.MAX_SAFE_INTEGER;

/** `sizes` holds the size of each group, none of them empty. Null: the key does not move. */
export function nextPosition(
  { group, index }: GridPosition,
  key: string,
  sizes: readonly number[],
  columns: number,
): GridPosition | null {
  const at = (inGroup: number, wanted: number): GridPosition | null => {
    const size = sizes[inGroup];
    return size === undefined ? null : { group: inGroup, index: Math.min(wanted, size - 1) };
  };
  const size = sizes[group] ?? 0;
  const column = index % columns;
  const isLastRow = Math.floor(index / columns) === Math.floor((size - 1) / columns);
  switch (key) {
    case 'Next':
      return index + 1 < size ? at(group, index + 1) : at(group + 1, 0);
    case 'Previous':
      return index > 0 ? at(group, index - 1) : at(group - 1, FAR);
    case 'ArrowDown':
      return isLastRow ? at(group + 1, column) : at(group, index + columns);
    case 'ArrowUp': {
      if (index >= columns) return at(group, index - columns);
      const above = sizes[group - 1] ?? 0;
      return at(group - 1, Math.floor((above - 1) / columns) * columns + column);
    }
    case 'Home':
      return at(0, 0);
    case 'End':
      return at(sizes.length - 1, FAR);
    default:
      return null;
  }
}
