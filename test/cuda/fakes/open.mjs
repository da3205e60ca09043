// Opens a device and tells as JSON what came of it.
import { readFileSync } from 'node:fs'
import { Device } from '../../../dist/ts/index.js'

function tell(result) {
  const maps = readFileSync('/proc/self/maps', 'utf8')
  const loaded = [...new Set(maps.match(/\/\S*lib(?:cu|nv)\S*/g) ?? [])]
  process.stdout.write(JSON.stringify({ ...result, loaded }))
}

try {
  const device = await Device.open(process.argv[2])
  tell({ kind: device.kind, description: device.description })
  device.close()
} catch ({ name, code, reason, message, searched, expected, got }) {
  tell({ name, code, reason, message, searched, expected, got })
}
