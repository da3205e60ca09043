// Opens the device, and says what it is.
import { Device } from '../../ts/runtime/device.js'
import { isSimulated } from '../support/mode.js'
import { report } from '../support/row.js'
import { openTarget, rehearsal } from '../support/target.js'

for (const { name, kind, model, computeCapability, libraries, problem } of await Device.list())
  report({
    check: 'device',
    name: `${name} ${model}`,
    status: 'info',
    values: { kind, computeCapability, ...libraries },
    note: problem ? problem.message : '',
  })
const begin = performance.now()
const device = await openTarget()
const seconds = Number(((performance.now() - begin) / 1000).toFixed(2))
const honest = isSimulated(device) === (rehearsal === 'simulated')
report({
  check: 'open',
  name: device.description,
  status: honest ? 'pass' : 'fail',
  values: { seconds },
  note: honest ? '' : 'whether the device is a simulated one is not what was asked for',
})
device.close()
