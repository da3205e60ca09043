#pragma once
#include "families.h"

namespace fovea::cpu {

// Batch norm by running statistics; nullptr where x comes channels last, without images, or in a layout that
// our loops cannot walk through. From channels outermost it gives images outermost.
KernelPtr ownBatchNorm(const Request& request, const ops::BatchNorm& op);

}  // namespace fovea::cpu
