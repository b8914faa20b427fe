// What every page loads, one file once it is compiled: all that a question and its answer need.

import "./frame.js"
import "./composer.js"

// Modules on demand import these from here.
export * from "./page.js"
export { fetchPage } from "./drawing.js"
export { followLayers } from "./layers.js"
