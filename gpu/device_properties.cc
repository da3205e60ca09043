// Prints cuDNN's description of a GPU as JSON (since cuDNN 9.8).
//
//   device-properties INDEX FOLDER...      a folder is led by '+' where the driver is searched in it, too, or
//   by '-'
#include <cstdio>
#include <cstdlib>
#include <string>

#include "cuda/libraries.h"
#include "cuda/status.h"

namespace {

using fovea::cuda::Libraries;

constexpr size_t oldest = 90800;
constexpr int tooOld = 3;

std::string properties(const Libraries& libraries, int32_t index) {
  cudnnBackendDescriptor_t device = nullptr;
  FOVEA_CUDA_CALL(libraries, cudnn, cudnnBackendCreateDescriptor, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR,
                  &device);
  FOVEA_CUDA_CALL(libraries, cudnn, cudnnBackendSetAttribute, device, CUDNN_ATTR_DEVICEPROP_DEVICE_ID,
                  CUDNN_TYPE_INT32, 1, &index);
  FOVEA_CUDA_CALL(libraries, cudnn, cudnnBackendFinalize, device);
  int64_t size = 0;
  FOVEA_CUDA_CALL(libraries, cudnn, cudnnBackendGetAttribute, device,
                  CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, 0, &size, nullptr);
  std::string json(static_cast<size_t>(size), '\0');
  FOVEA_CUDA_CALL(libraries, cudnn, cudnnBackendGetAttribute, device,
                  CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, size, &size, json.data());
  libraries.cudnn.cudnnBackendDestroyDescriptor(device);
  while (!json.empty() && json.back() == '\0') json.pop_back();
  return json;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    fovea::cuda::LoadOptions options;
    for (int i = 2; i < count; ++i)
      options.folders.push_back({arguments[i] + 1, "argument", arguments[i][0] == '+'});
    const auto libraries = fovea::cuda::load(options);
    if (libraries->versions.cudnn < oldest) {
      std::fprintf(stderr, "cuDNN %s does not describe GPUs; 9.8 does\n",
                   fovea::cuda::cudnnVersion(libraries->versions.cudnn).c_str());
      return tooOld;
    }
    const int index = count > 1 ? std::atoi(arguments[1]) : 0;
    FOVEA_CUDA_CALL(*libraries, runtime, cudaSetDevice, index);
    std::puts(properties(*libraries, index).c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
