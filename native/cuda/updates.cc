#include "updates.h"

#include <algorithm>

namespace fovea::cuda {
namespace {

constexpr unsigned partElements = 4096;  // as in kernels/optimizers.cu
constexpr size_t gradientInput = 1, scalarsInput = 2, normInput = 3, firstState = 4;

bool meet(const std::set<const void*>& a, const std::set<const void*>& b) {
  return std::ranges::any_of(a, [&](const void* address) { return b.contains(address); });
}

}  // namespace

UpdateKernel::UpdateKernel(const Request& request, std::string name, const LayoutPtr& layout,
                           std::string rule, Launch launch)
    : context_(request.shared),
      name_(std::move(name)),
      rule_(std::move(rule)),
      launch_(std::move(launch)),
      elements_(elementsOf(request.input(0))) {
  if (!layout->elementwise()) throw unsupported("what lies in " + layout->name() + " cannot be updated");
  const bool last = isChannelsLast(*layout, request.input(0).shape);
  for (size_t i = 0; i < request.operands.inputs.size(); ++i) {
    const bool alike = i <= gradientInput || i >= firstState;
    inputs.push_back(request.hasInput(i) ? layoutAs(request.input(i), alike && last) : nullptr);
  }
  for (size_t i = 0; i < request.operands.outputs.size(); ++i) {
    outputs.push_back(request.hasOutput(i) ? layout : nullptr);
    const size_t input = i == 0 ? 0 : firstState + i - 1;
    if (request.hasOutput(i)) aliases.push_back({static_cast<int>(i), static_cast<int>(input), true});
  }
}

void UpdateKernel::bind(const Pointers& pointers) {
  pointers_ = pointers;
  tensors_.clear();
  taken_ = false;
  written_ = {out(pointers, 0), out(pointers, 1), out(pointers, 2)};
  written_.erase(nullptr);
  touched_ = written_;
  if (const void* gradient = in(pointers, gradientInput)) touched_.insert(gradient);
  append(*this);
}

void UpdateKernel::append(const UpdateKernel& update) {
  if (tensors_.empty() || tensors_.back().count == mostUpdated) tensors_.emplace_back();
  UpdatedTensors& t = tensors_.back();
  const unsigned k = t.count++;
  t.parameter[k] = out(update.pointers_, 0);
  t.gradient[k] = in(update.pointers_, gradientInput);
  t.first[k] = out(update.pointers_, 1);
  t.second[k] = out(update.pointers_, 2);
  t.elements[k] = update.elements_;
  t.begin[k + 1] = t.begin[k] + narrow(ceilDiv(update.elements_, partElements));
}

// All of a launch's tensors are updated at once, so none may be made from another.
bool UpdateKernel::take(Kernel& next) {
  auto* update = dynamic_cast<UpdateKernel*>(&next);
  if (!update || update->rule_ != rule_ || meet(update->written_, touched_) ||
      meet(update->touched_, written_))
    return false;
  for (const size_t shared : {scalarsInput, normInput})
    if (in(pointers_, shared) != in(update->pointers_, shared)) return false;
  append(*update);
  written_.insert(update->written_.begin(), update->written_.end());
  touched_.insert(update->touched_.begin(), update->touched_.end());
  return update->taken_ = true;
}

void UpdateKernel::enqueue() {
  if (taken_) return;
  for (const UpdatedTensors& tensors : tensors_) launch_({tensors.begin[tensors.count]}, tensors, pointers_);
}

}  // namespace fovea::cuda
