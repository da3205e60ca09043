#include <algorithm>

#include "convolution_graphs.h"
#include "engine_choice.h"
#include "families.h"
#include "rows.h"

namespace fovea::cuda {
namespace {

using Kind = OperationGraph::Convolution;

// Copies images into larger ones, or cuts them out again.
class Edges {
 public:
  Edges(const Request& request, const TensorSpec& image, const PaddedGeometry& geometry)
      : function_(request.context.function("edges", "moveImages", typed(image.dtype))),
        context_(request.shared),
        image_(image.shape),
        padded_(geometry.x),
        top_(static_cast<int>(geometry.top)),
        left_(static_cast<int>(geometry.left)) {}

  size_t bytes(DType dtype) const { return static_cast<size_t>(elementCount(padded_)) * sizeOf(dtype); }
  void add(const void* image, void* padded) const { move(image, image_, padded, padded_, top_, left_); }
  void cut(const void* padded, void* image) const { move(padded, padded_, image, image_, -top_, -left_); }

 private:
  void move(const void* from, const Shape& a, void* to, const Shape& b, int top, int left) const {
    const int64_t count = elementCount(b);
    const auto extent = [](int64_t value) { return static_cast<int>(value); };
    function_.launch(gridFor(*context_, count), {threadsPerBlock}, from, to, count, extent(a[1]),
                     extent(a[2]), extent(a[3]), extent(b[2]), extent(b[3]), top, left);
  }

  Function function_;
  std::shared_ptr<const Context> context_;
  Shape image_, padded_;
  int top_, left_;
};

// Room in scratch for an image with the padding that cuDNN cannot add by itself.
class PaddedImage {
 public:
  PaddedImage(const Request& request, const TensorSpec& image, const PaddedGeometry& geometry,
              Scratch& scratch) {
    if (!geometry.padded) return;
    edges_ = std::make_shared<Edges>(request, image, geometry);
    offset_ = scratch.addBytes(edges_->bytes(image.dtype));
  }

  explicit operator bool() const { return edges_ != nullptr; }
  // Where the plan finds the image: in scratch, or `plain` where no padding is to be added.
  void* place(const Pointers& p, void* plain) const {
    return edges_ ? scratchAt<std::byte>(p, offset_) : plain;
  }
  void add(const Pointers& p, const void* image) const { edges_->add(image, place(p, nullptr)); }
  void cut(const Pointers& p, void* image) const { edges_->cut(place(p, nullptr), image); }

 private:
  std::shared_ptr<const Edges> edges_;
  size_t offset_ = 0;
};

// An execution plan with work of our own before and behind it.
class ConvolutionKernel final : public Kernel {
 public:
  using Work = std::function<void(const Pointers&)>;

  ConvolutionKernel(const Request& request, std::unique_ptr<ExecutionPlan> plan, std::string name)
      : context_(request.shared), plan_(std::move(plan)), name_(std::move(name)) {
    const auto layouts = [](const std::vector<std::optional<Operand>>& operands, std::vector<LayoutPtr>& to) {
      for (const auto& operand : operands)
        to.push_back(operand ? channelsLastLayout(operand->spec) : nullptr);
    };
    layouts(request.operands.inputs, inputs);
    layouts(request.operands.outputs, outputs);
  }

  // Where the plan's tensors are found, once all addresses are known.
  std::function<void*(int64_t number, const Pointers&)> address;
  std::vector<int64_t> numbers;
  Work before, after;
  size_t workspaceOffset = 0;

  void bind(const Pointers& pointers) override {
    pointers_ = pointers;
    std::vector<std::pair<int64_t, void*>> data;
    for (const int64_t number : numbers) data.emplace_back(number, address(number, pointers));
    plan_->bind(data,
                plan_->workspaceBytes() > 0 ? scratchAt<std::byte>(pointers, workspaceOffset) : nullptr);
  }
  void enqueue() override {
    if (before) before(pointers_);
    plan_->enqueue();
    if (after) after(pointers_);
  }
  std::string implementation() const override { return name_; }

 private:
  std::shared_ptr<const Context> context_;
  std::unique_ptr<ExecutionPlan> plan_;
  std::string name_;
  Pointers pointers_;
};

std::string keyOf(const char* op, const ops::ConvolutionGeometry& geometry, const TensorSpec& x,
                  const TensorSpec& weight, const TensorSpec& y) {
  std::string key = op;
  for (const TensorSpec* spec : {&x, &weight, &y})
    key += std::string(" ") + nameOf(spec->dtype) + format(spec->shape);
  const auto& p = geometry.padding;
  return key + " stride" + format({geometry.stride[0], geometry.stride[1]}) + " padding" +
         format({p[0], p[1], p[2], p[3]}) + " dilation" +
         format({geometry.dilation[0], geometry.dilation[1]});
}

std::unique_ptr<ConvolutionKernel> kernelOf(const Request& request, Chosen chosen,
                                            const std::vector<Formulation>& formulations, Scratch& scratch,
                                            const std::string& name) {
  const size_t workspace = chosen.plan->workspaceBytes();
  const int64_t engine = chosen.plan->engine();
  auto kernel = std::make_unique<ConvolutionKernel>(request, std::move(chosen.plan),
                                                    "cudnn:engine" + std::to_string(engine) + name);
  for (const auto& [number, bytes] : formulations[chosen.formulation].graph->memory())
    kernel->numbers.push_back(number);
  kernel->workspaceOffset = scratch.addBytes(workspace);
  kernel->scratchBytes = scratch.bytes();
  return kernel;
}

}  // namespace

KernelPtr prepare(const Request& request, const ops::Convolution& op) {
  const TensorSpec &x = request.input(0), &weight = request.input(1), &y = request.output(0);
  const Additions additions{request.hasInput(2), request.hasInput(3), op.activation == ops::Activation::relu};
  const PaddedGeometry geometry(op, x.shape);
  const CudnnLibrary library{request.context.libraries, request.context.cudnn()};
  const ConvolutionTensors tensors{x, weight, y, additions.bias ? request.input(2).dtype : DType::f32};

  std::vector<Formulation> formulations;
  if (additions.any()) {
    try {
      formulations.push_back({fusedGraph(library, geometry, tensors, additions)});
    } catch (const Error& error) {
      // A sequence that cuDNN does not know is done in two steps.
      if (error.code == "OUT_OF_MEMORY") throw;
    }
  }
  const size_t plain = formulations.size();
  formulations.push_back({convolutionGraph(library, Kind::forward, geometry, tensors)});
  std::shared_ptr<const Epilogue> epilogue;
  const auto openEpilogue = [&] {
    epilogue = std::make_shared<Epilogue>(
        request, rowsOf(y), y.dtype, additions.bias ? request.input(2).dtype : DType::f32, op.activation);
  };
  if (additions.any() && request.context.settings.tuning != Tuning::off) {
    openEpilogue();
    formulations[plain].remainder = [epilogue, residual = additions.residual](void* to) {
      epilogue->enqueue(to, nullptr, residual ? to : nullptr, to);
    };
  }

  const std::string key = keyOf(op.name, op, x, weight, y) + (additions.bias ? " bias" : "") +
                          (additions.residual ? " sum" : "") + (additions.relu ? " relu" : "");
  // A network that computes something twice, to check it or to save memory, gets the same twice.
  Chosen chosen = chooseEngine(request.context, key, formulations, {x.dtype == DType::f32, true}, yNumber);
  const bool fused = chosen.formulation < plain;
  if (!fused && additions.any() && !epilogue) openEpilogue();
  Scratch scratch;
  const PaddedImage padded(request, x, geometry, scratch);
  auto kernel = kernelOf(request, std::move(chosen), formulations, scratch,
                         fused             ? "+fused"
                         : additions.any() ? "+fovea:epilogue"
                                           : "");
  kernel->address = [padded](int64_t number, const Pointers& p) -> void* {
    switch (number) {
      case xNumber:
        return padded.place(p, p.inputs[0]);
      case weightNumber:
        return p.inputs[1];
      case biasNumber:
        return p.inputs[2];
      case residualNumber:
        return p.inputs[3];
      default:
        return p.outputs[0];
    }
  };
  if (padded) kernel->before = [padded](const Pointers& p) { padded.add(p, p.inputs[0]); };
  if (!fused && epilogue)
    kernel->after = [epilogue](const Pointers& p) {
      epilogue->enqueue(p.outputs[0], in(p, 2), in(p, 3), p.outputs[0]);
    };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::ConvolutionBackwardData& op) {
  const TensorSpec &dy = request.input(0), &weight = request.input(1), &dx = request.output(0);
  const PaddedGeometry geometry(op, dx.shape);
  const std::vector<Formulation> formulations{
      {convolutionGraph({request.context.libraries, request.context.cudnn()}, Kind::data, geometry,
                        {dx, weight, dy}),
       {}}};
  Chosen chosen = chooseEngine(request.context, keyOf(op.name, op, dx, weight, dy), formulations,
                               {dy.dtype == DType::f32, false}, xNumber);
  Scratch scratch;
  const PaddedImage padded(request, dx, geometry, scratch);
  auto kernel = kernelOf(request, std::move(chosen), formulations, scratch, "");
  kernel->address = [padded](int64_t number, const Pointers& p) -> void* {
    if (number == yNumber) return p.inputs[0];
    if (number == weightNumber) return p.inputs[1];
    return padded.place(p, p.outputs[0]);
  };
  if (padded) kernel->after = [padded](const Pointers& p) { padded.cut(p, p.outputs[0]); };
  return kernel;
}

KernelPtr prepare(const Request& request, const ops::ConvolutionBackwardWeights& op) {
  const TensorSpec &x = request.input(0), &dy = request.input(1), &dweight = request.output(0);
  const PaddedGeometry geometry(op, x.shape);
  const std::vector<Formulation> formulations{
      {convolutionGraph({request.context.libraries, request.context.cudnn()}, Kind::filter, geometry,
                        {x, dweight, dy}),
       {}}};
  Chosen chosen = chooseEngine(request.context, keyOf(op.name, op, x, dweight, dy), formulations,
                               {x.dtype == DType::f32, false}, weightNumber);
  Scratch scratch;
  const PaddedImage padded(request, x, geometry, scratch);
  std::shared_ptr<const ChannelSums> sums;
  if (request.hasOutput(1))
    sums = std::make_shared<ChannelSums>(request, rowsOf(dy), dy.dtype, request.output(1).dtype, scratch);
  auto kernel = kernelOf(request, std::move(chosen), formulations, scratch, "");
  kernel->address = [padded](int64_t number, const Pointers& p) -> void* {
    if (number == yNumber) return p.inputs[1];
    if (number == weightNumber) return p.outputs[0];
    return padded.place(p, p.inputs[0]);
  };
  if (padded) kernel->before = [padded](const Pointers& p) { padded.add(p, p.inputs[0]); };
  if (sums) kernel->after = [sums](const Pointers& p) { sums->enqueue(p.inputs[1], p, p.outputs[1]); };
  return kernel;
}

}  // namespace fovea::cuda
