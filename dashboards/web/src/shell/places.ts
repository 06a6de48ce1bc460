import { Boxes, Cpu, LayoutDashboard, ListTree, Rows3, SquareTerminal } from '@lucide/vue'

/** Where the page leads, and the key that follows `g`. */
export const places = [
  { name: 'overview', title: 'Overview', key: 'o', icon: LayoutDashboard },
  { name: 'runs', title: 'Runs', key: 'r', icon: Rows3 },
  { name: 'batches', title: 'Batches', key: 'b', icon: Boxes },
  { name: 'monitor', title: 'Monitor', key: 'm', icon: SquareTerminal },
  { name: 'modules', title: 'Modules', key: 'd', icon: ListTree },
  { name: 'machine', title: 'Machine', key: 'n', icon: Cpu },
] as const
