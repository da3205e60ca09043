#pragma once
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "own_kernels.h"

namespace fovea::cuda {

// As in kernels/optimizers.cu.
constexpr size_t mostUpdated = 96;
struct UpdatedTensors {
  void* parameter[mostUpdated];
  const void* gradient[mostUpdated];
  void *first[mostUpdated], *second[mostUpdated];
  unsigned elements[mostUpdated], begin[mostUpdated + 1], count;
};

// An update of a tensor where it lies: output 0 from input 1, with outputs 1 and 2 as its states; inputs 2
// and 3 are the step's scalars and norm. Updates that follow each other and differ in their tensors alone are
// one launch.
class UpdateKernel final : public Kernel {
 public:
  using Launch = std::function<void(Dim3 grid, const UpdatedTensors&, const Pointers&)>;
  // Takes operand 0 and the states as the first lies, in `layout`, and input 1 in the same format. Updates
  // with the same `rule` may be launched together, by the `launch` of any of them.
  UpdateKernel(const Request& request, std::string name, const LayoutPtr& layout, std::string rule,
               Launch launch);

  void bind(const Pointers& pointers) override;
  bool take(Kernel& next) override;
  void enqueue() override;
  std::string implementation() const override { return name_; }

 private:
  void append(const UpdateKernel& update);

  std::shared_ptr<const Context> context_;
  std::string name_, rule_;
  Launch launch_;
  unsigned elements_;
  Pointers pointers_;
  std::vector<UpdatedTensors> tensors_;  // a launch each
  std::set<const void*> written_, touched_;
  bool taken_ = false;  // by a kernel that runs before this one
};

// For rules: constants as they lie in memory.
template <class T>
std::string bytesOf(const T& constants) {
  return {reinterpret_cast<const char*>(&constants), sizeof constants};
}

}  // namespace fovea::cuda
