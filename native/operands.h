#pragma once
#include <new>
#include <string>
#include <type_traits>

#include "backend.h"
#include "error.h"

// What backends do with operands before they choose a kernel, whatever the library.
namespace fovea {

// Types and shapes, for messages.
std::string shapesOf(const Operands& operands);

bool isFloat(DType dtype);

// Gives every failure of `prepare` the name of what it prepares, and its shapes.
template <class Prepare>
auto guarded(const std::string& subject, const std::string& shapes, const Prepare& prepare) {
  const std::string what = subject + " of " + shapes + ": ";
  try {
    return prepare();
  } catch (const Error& error) {
    throw Error(error.code, what + error.what(), subject, error.expected,
                error.got.empty() ? shapes : error.got);
  } catch (const std::bad_alloc&) {
    throw Error("OUT_OF_MEMORY", what + "no memory to prepare it", subject, {}, shapes);
  }
}

template <class Op, class... List>
constexpr bool oneOf = (std::is_same_v<Op, List> || ...);

// Multiplies matrices of activations, gradients and weights.
template <class Op>
constexpr bool isProduct =
    oneOf<Op, ops::Convolution, ops::ConvolutionBackwardData, ops::ConvolutionBackwardWeights, ops::Linear,
          ops::LinearBackwardData, ops::LinearBackwardWeights>;

// Operands as a kernel takes and gives them, which the plan may keep in other types: the core converts what
// comes otherwise. Vectors (biases, statistics, losses) are f32 always. `retype(layout, spec)` is a layout
// for elements of the type of `spec`.
template <class Retype>
Operands typed(Operands operands, DType dtype, const Retype& retype) {
  for (auto* side : {&operands.inputs, &operands.outputs})
    for (auto& operand : *side) {
      if (!operand || !isFloat(operand->spec.dtype)) continue;
      operand->spec.dtype = operand->spec.shape.size() > 1 ? dtype : DType::f32;
      if (operand->layout) operand->layout = retype(operand->layout, operand->spec);
    }
  return operands;
}

}  // namespace fovea
