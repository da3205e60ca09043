#pragma once

namespace fovea::cpu {

// Asks the scheduler to give the calling thread its share of a busy processor in many short turns instead of
// few long ones. Threads that work together wait for whichever of them does not run, and so for the turns of
// others. Does nothing where the system has no such wish (Linux before 6.12) or refuses it.
void takeShortTurns();

}  // namespace fovea::cpu
