import type { Command } from 'commander'
import { action, command, type Flags } from '../command.js'
import { print, printJson } from '../output.js'

/** `fovea report` */
export function reportCommand(): Command {
  return command('report', 'draw the curves of a training anew')
    .argument('<folder>', 'the --out of the training')
    .action(action(reportTraining))
}

async function reportTraining([folder]: [string], { json = false }: Flags): Promise<void> {
  const { writeReport } = await import('../../report/report.js')
  const files = await writeReport(folder)
  if (json) printJson(files)
  else print(files.page, ...files.plots)
}
