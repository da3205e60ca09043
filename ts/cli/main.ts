#!/usr/bin/env node
import { CommanderError, type Command, Command as Program } from 'commander'
import { createRequire } from 'node:module'
import { benchCommand } from './commands/bench.js'
import { classifyCommand } from './commands/classify.js'
import { dataCommand } from './commands/data.js'
import { doctorCommand } from './commands/doctor.js'
import { evaluateCommand } from './commands/evaluate.js'
import { finetuneCommand } from './commands/finetune.js'
import { listCommand } from './commands/list.js'
import { predictCommand } from './commands/predict.js'
import { profileCommand } from './commands/profile.js'
import { reportCommand } from './commands/report.js'
import { summaryCommand } from './commands/summary.js'
import { trainCommand } from './commands/train.js'
import { fail } from './failure.js'
import { colours } from './output.js'

/** Only the definitions of the commands are here and in what this file imports; their bodies load what they need. */
function program(): Command {
  const { version } = createRequire(import.meta.url)('fovea/package.json') as { readonly version: string }
  const { bold } = colours(process.stdout)
  const fovea = new Program('fovea')
    .description('Convolutional networks, on oneDNN and cuDNN')
    .version(version)
    .configureHelp({ styleTitle: bold })
    .addHelpText(
      'after',
      '\nExit codes: 0 all went well, 1 something could not be done, 2 wrong usage, 130 interrupted.',
    )
  const commands = [
    classifyCommand(),
    predictCommand(),
    evaluateCommand(),
    trainCommand(),
    finetuneCommand(),
    reportCommand(),
    summaryCommand(),
    profileCommand(),
    benchCommand(),
    listCommand(),
    dataCommand(),
    doctorCommand(),
  ]
  for (const command of commands) fovea.addCommand(command)
  // Usage errors are thrown instead of printed, so that they look like all others.
  for (const command of [fovea, ...commands])
    command
      .exitOverride()
      .configureOutput({ outputError: () => undefined })
      .showSuggestionAfterError()
  return fovea
}

// A reader that has seen enough, such as `head`, is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

try {
  await program().parseAsync()
} catch (error) {
  // Help and version end the parsing, too.
  if (!(error instanceof CommanderError && error.exitCode === 0))
    fail(error, { json: process.argv.includes('--json') })
}
