export { importTfjs, ImportedModel, type ImportedInfo, type ImportOptions } from './import.js'
