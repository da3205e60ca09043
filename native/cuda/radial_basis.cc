#include "families.h"
#include "own_kernels.h"

namespace fovea::cuda {
namespace {

constexpr unsigned threads = 128;

struct Sizes {
  unsigned batch, inputs, outputs;
};

Sizes sizesOf(const Request& request) {
  requireF32(request);
  const TensorSpec &x = request.input(0), &centres = request.input(1);
  const int64_t batch = x.shape.at(0), outputs = centres.shape.at(0);
  narrow(batch * outputs);
  return {narrow(batch), narrow(elementsOf(x) / batch), narrow(outputs)};
}

Dim3 gridOf(unsigned work) { return {narrow(ceilDiv(work, threads))}; }

}  // namespace

KernelPtr prepare(const Request& request, const ops::RadialBasis&) {
  const Sizes sizes = sizesOf(request);
  return std::make_unique<StreamKernel>(
      request, "radialBasis",
      [function = request.context.function("radial_basis", "radialBasis"), sizes](const Pointers& p) {
        function.launch({sizes.batch * sizes.outputs}, {threads}, in(p, 0), in(p, 1), out(p, 0), sizes.inputs,
                        sizes.outputs);
      });
}

KernelPtr prepare(const Request& request, const ops::RadialBasisBackward&) {
  const Sizes sizes = sizesOf(request);
  return std::make_unique<StreamKernel>(
      request, "radialBasisBackward",
      [inputs = request.context.function("radial_basis", "radialBasisInputs"),
       centres = request.context.function("radial_basis", "radialBasisCentres"), sizes,
       hasCentres = request.hasOutput(1)](const Pointers& p) {
        inputs.launch(gridOf(sizes.batch * sizes.inputs), {threads}, in(p, 0), in(p, 1), in(p, 2), out(p, 0),
                      sizes.batch, sizes.inputs, sizes.outputs);
        if (hasCentres)
          centres.launch(gridOf(sizes.outputs * sizes.inputs), {threads}, in(p, 0), in(p, 1), in(p, 2),
                         out(p, 1), sizes.batch, sizes.inputs, sizes.outputs);
      });
}

}  // namespace fovea::cuda
