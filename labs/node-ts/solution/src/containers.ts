/** One box on the quay. */
export interface Container {
  readonly id: string;
  readonly kg: number;
  readonly frozen: boolean;
}

const containers: readonly Container[] = [
  { id: 'MSKU-1001', kg: 21_400, frozen: false },
  { id: 'TGHU-2040', kg: 18_050, frozen: true },
  { id: 'CSQU-3054', kg: 4_200, frozen: false },
];

/** Those that weigh no more than `maxKg`, the lightest first. */
export function lighterThan(maxKg: number): readonly Container[] {
  return containers.filter(({ kg }) => kg <= maxKg).sort((a, b) => a.kg - b.kg);
}

/** The one with this id, if it is on the quay. */
export function find(id: string): Container | undefined {
  return containers.find((container) => container.id === id);
}
