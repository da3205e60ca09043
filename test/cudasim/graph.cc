// cuDNN's graph interface: descriptors, and running what they describe.
#include <algorithm>

#include "cudnn_handle.h"
#include "device.h"
#include "graph_engines.h"

namespace cudasim {
namespace {

Registry<Descriptor, cudnnBackendDescriptor_t>& descriptors() {
  static auto& registry =
      *std::make_unique<Registry<Descriptor, cudnnBackendDescriptor_t>>(Slot::cudnnDescriptors).release();
  return registry;
}

DescriptorPtr descriptorOf(const void* handle) {
  auto found = descriptors().find(const_cast<void*>(handle));
  require(found != nullptr, CUDNN_STATUS_BAD_PARAM, "unknown descriptor");
  return found;
}

std::string nameOf(const Descriptor& descriptor, int attribute) {
  return "attribute " + std::to_string(attribute) + " of a descriptor of type " +
         std::to_string(descriptor.type);
}

const Rule& ruleOf(const Descriptor& descriptor, cudnnBackendAttributeName_t name,
                   cudnnBackendAttributeType_t type) {
  const Rule* rule = ruleFor(descriptor.type, name);
  require(rule != nullptr, CUDNN_STATUS_NOT_SUPPORTED, nameOf(descriptor, name) + " does not exist");
  require(std::ranges::find(rule->types, type) != rule->types.end(), CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE,
          nameOf(descriptor, name) + " has no elements of type " + std::to_string(type));
  return *rule;
}

DescriptorPtr finalizedOf(cudnnBackendDescriptorType_t type, std::shared_ptr<const Finalized> meaning) {
  auto made = std::make_shared<Descriptor>();
  made->type = type;
  made->finalized = true;
  made->meaning = std::move(meaning);
  return made;
}

std::shared_ptr<const OperationGraph> graphOf(const Descriptor& d, cudnnBackendAttributeName_t name) {
  return std::static_pointer_cast<const OperationGraph>(d.child(name)->meaning);
}

std::shared_ptr<const Finalized> finalizeHeuristics(const Descriptor& d) {
  auto heuristics = std::make_shared<Heuristics>();
  const auto mode = d.value(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_HEUR_MODE_INSTANT);
  for (const Engine& engine : enginesFor(graphOf(d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH))) {
    // The fallback names what always works.
    if (mode == CUDNN_HEUR_MODE_FALLBACK && (!engine.numericalNotes.empty() || !engine.finalizes)) continue;
    auto config = std::make_shared<EngineConfig>();
    config->engine = finalizedOf(CUDNN_BACKEND_ENGINE_DESCRIPTOR, std::make_shared<Engine>(engine));
    heuristics->configs.push_back(finalizedOf(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, config));
  }
  return heuristics;
}

std::shared_ptr<const Finalized> finalizeEngine(const Descriptor& d) {
  const auto engines = enginesFor(graphOf(d, CUDNN_ATTR_ENGINE_OPERATION_GRAPH));
  const auto index = d.value<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, -1);
  require(index >= 0 && index < static_cast<int64_t>(engines.size()), CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND,
          "no engine " + std::to_string(index));
  return std::make_shared<Engine>(engines[static_cast<size_t>(index)]);
}

std::shared_ptr<const Finalized> finalizePlan(const Descriptor& d) {
  auto plan = std::make_shared<ExecutionPlan>();
  const auto& config = d.child(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)->as<EngineConfig>();
  plan->engine = std::static_pointer_cast<const Engine>(config.engine->meaning);
  const int device = cudnnHandle(d.value<cudnnHandle_t>(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, nullptr))->device;
  require(device == plan->engine->graph->device, CUDNN_STATUS_BAD_PARAM, "plan and graph of two devices");
  // No complaint: trying the next one is what callers are to do.
  if (!plan->engine->finalizes) throw CUDNN_STATUS_NOT_SUPPORTED;
  return plan;
}

std::shared_ptr<const Finalized> finalizePack(const Descriptor& d) {
  auto pack = std::make_shared<VariantPack>();
  const auto ids = d.values<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const auto pointers = d.values<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  require(ids.size() == pointers.size(), CUDNN_STATUS_BAD_PARAM,
          std::to_string(ids.size()) + " ids and " + std::to_string(pointers.size()) + " pointers");
  for (size_t i = 0; i < ids.size(); ++i)
    require(pack->pointers.emplace(ids[i], pointers[i]).second, CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES,
            "id " + std::to_string(ids[i]) + " twice");
  pack->workspace = d.value<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, nullptr);
  return pack;
}

std::shared_ptr<const Finalized> meaningOf(const Descriptor& d) {
  switch (d.type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
      return finalizeTensor(d);
    case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR:
      return finalizeConvolution(d);
    case CUDNN_BACKEND_POINTWISE_DESCRIPTOR:
      return finalizePointwise(d);
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
      return finalizeGraph(d);
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
      return finalizeHeuristics(d);
    case CUDNN_BACKEND_ENGINE_DESCRIPTOR:
      return finalizeEngine(d);
    case CUDNN_BACKEND_ENGINECFG_DESCRIPTOR: {
      auto config = std::make_shared<EngineConfig>();
      config->engine = d.child(CUDNN_ATTR_ENGINECFG_ENGINE);
      return config;
    }
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
      return finalizePlan(d);
    case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR:
      return finalizePack(d);
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
      return finalizeOperation(d);
    default:
      return std::make_shared<Finalized>();
  }
}

template <class T>
std::vector<std::byte> bytesOf(const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::vector<std::byte> textOf(const std::string& text) {
  return bytesOf(std::vector<char>(text.c_str(), text.c_str() + text.size() + 1));
}

// What a finalized descriptor tells beside what it was given; nullopt for an attribute that is not told.
std::optional<std::vector<std::byte>> told(const Descriptor& d, cudnnBackendAttributeName_t name) {
  using Numbers = std::vector<int64_t>;
  switch (name) {
    case CUDNN_ATTR_OPERATIONGRAPH_ENGINE_GLOBAL_COUNT: {
      const auto graph = std::static_pointer_cast<const OperationGraph>(d.meaning);
      return bytesOf(Numbers{static_cast<int64_t>(enginesFor(graph).size())});
    }
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
      return bytesOf(d.as<Engine>().numericalNotes);
    case CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE:
      return bytesOf(d.as<Engine>().behaviorNotes);
    case CUDNN_ATTR_ENGINE_GLOBAL_INDEX:
      return bytesOf(Numbers{d.as<Engine>().index});
    case CUDNN_ATTR_ENGINE_KNOB_INFO:
    case CUDNN_ATTR_ENGINECFG_KNOB_CHOICES:
      return bytesOf(Numbers{});
    case CUDNN_ATTR_ENGINECFG_WORKSPACE_SIZE:
      return bytesOf(Numbers{d.as<EngineConfig>().engine->as<Engine>().workspaceBytes});
    case CUDNN_ATTR_ENGINECFG_SHARED_MEMORY_USED:
      return bytesOf(Numbers{0});
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
      return bytesOf(Numbers{d.as<ExecutionPlan>().engine->workspaceBytes});
    case CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION:
      return textOf(
          "{\"simulated\": true, \"engine\": " + std::to_string(d.as<ExecutionPlan>().engine->index) + "}");
    case CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION:
      return textOf("{\"simulated\": true}");
    default:
      return std::nullopt;
  }
}

// Descriptors that a descriptor gives are copied into those that the caller made for them.
std::optional<std::vector<DescriptorPtr>> given(const Descriptor& d, cudnnBackendAttributeName_t name) {
  if (name == CUDNN_ATTR_ENGINEHEUR_RESULTS) return d.as<Heuristics>().configs;
  if (name == CUDNN_ATTR_ENGINECFG_ENGINE) return std::vector{d.as<EngineConfig>().engine};
  return std::nullopt;
}

}  // namespace
}  // namespace cudasim

using namespace cudasim;

extern "C" {

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t* handle) {
  CUDASIM_ENTER(cudnnBackendCreateDescriptor, CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED);
  return guarded("cudnnBackendCreateDescriptor", [&] {
    require(handle != nullptr, CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no place for the descriptor");
    require(type != CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR || cudnnVersion() >= 90800,
            CUDNN_STATUS_NOT_SUPPORTED, "device properties came with 9.8");
    auto descriptor = std::make_shared<Descriptor>();
    descriptor->type = type;
    *handle = descriptors().add(descriptor);
  });
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t handle) {
  CUDASIM_LEAVE(cudnnBackendDestroyDescriptor);
  const cudnnStatus_t status = guarded("cudnnBackendDestroyDescriptor", [&] {
    require(descriptors().remove(handle), CUDNN_STATUS_BAD_PARAM, "unknown descriptor");
  });
  return injected ? CUDNN_STATUS_INTERNAL_ERROR : status;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t handle, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count,
                                       const void* elements) {
  CUDASIM_ENTER(cudnnBackendSetAttribute, CUDNN_STATUS_INTERNAL_ERROR);
  return guarded("cudnnBackendSetAttribute", [&] {
    const auto descriptor = descriptorOf(handle);
    require(!descriptor->finalized, CUDNN_STATUS_NOT_INITIALIZED,
            nameOf(*descriptor, name) + " set after the descriptor was finalized");
    const Rule& rule = ruleOf(*descriptor, name, type);
    require(rule.need != Rule::output, CUDNN_STATUS_BAD_PARAM,
            nameOf(*descriptor, name) + " can only be read");
    require(count >= 1 && count <= rule.most, CUDNN_STATUS_BAD_PARAM,
            nameOf(*descriptor, name) + " given " + std::to_string(count) + " elements");
    require(elements != nullptr, CUDNN_STATUS_BAD_PARAM_NULL_POINTER,
            nameOf(*descriptor, name) + " given null");
    Attribute attribute{type, {}, {}, count};
    attribute.bytes.resize(static_cast<size_t>(count) * cudasim::sizeOf(type));
    std::memcpy(attribute.bytes.data(), elements, attribute.bytes.size());
    if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR)
      for (int64_t i = 0; i < count; ++i) {
        auto child = descriptorOf(static_cast<void* const*>(elements)[i]);
        require(!rule.child || child->type == *rule.child, CUDNN_STATUS_BAD_PARAM,
                nameOf(*descriptor, name) + " given a descriptor of type " + std::to_string(child->type));
        require(child->finalized, CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED,
                nameOf(*descriptor, name) + " given a descriptor that is not finalized");
        attribute.descriptors.push_back(std::move(child));
      }
    descriptor->attributes[name] = std::move(attribute);
  });
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t handle) {
  CUDASIM_ENTER(cudnnBackendFinalize, CUDNN_STATUS_INTERNAL_ERROR);
  try {
    return guarded("cudnnBackendFinalize", [&] {
      const auto descriptor = descriptorOf(handle);
      require(!descriptor->finalized, CUDNN_STATUS_BAD_PARAM, "finalized twice");
      requireComplete(*descriptor);
      descriptor->meaning = meaningOf(*descriptor);
      descriptor->finalized = true;
    });
  } catch (const cudnnStatus_t status) {
    return status;
  }
}

cudnnStatus_t cudnnBackendGetAttribute(const cudnnBackendDescriptor_t handle,
                                       cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                                       int64_t requested, int64_t* count, void* elements) {
  CUDASIM_ENTER(cudnnBackendGetAttribute, CUDNN_STATUS_INTERNAL_ERROR);
  return guarded("cudnnBackendGetAttribute", [&] {
    const auto descriptor = descriptorOf(handle);
    require(descriptor->finalized, CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED,
            nameOf(*descriptor, name) + " read before the descriptor was finalized");
    ruleOf(*descriptor, name, type);
    require(requested >= 0 && (requested == 0 || elements), CUDNN_STATUS_BAD_PARAM_NULL_POINTER,
            "no place for the elements");
    if (const auto children = given(*descriptor, name)) {
      const auto all = static_cast<int64_t>(children->size());
      if (count) *count = all;
      for (int64_t i = 0; i < std::min(requested, all); ++i) {
        const auto target = descriptorOf(static_cast<void**>(elements)[i]);
        const Descriptor& source = *(*children)[static_cast<size_t>(i)];
        require(target->type == source.type && !target->finalized, CUDNN_STATUS_BAD_PARAM,
                nameOf(*descriptor, name) + " is put into fresh descriptors of type " +
                    std::to_string(source.type));
        *target = source;
      }
      return;
    }
    auto bytes = told(*descriptor, name);
    if (!bytes) {
      const auto found = descriptor->attributes.find(name);
      require(found != descriptor->attributes.end(), CUDNN_STATUS_BAD_PARAM,
              nameOf(*descriptor, name) + " was not set");
      bytes = found->second.bytes;
    }
    const size_t size = cudasim::sizeOf(type);
    if (count) *count = static_cast<int64_t>(bytes->size() / size);
    if (elements)
      std::memcpy(elements, bytes->data(), std::min(bytes->size(), static_cast<size_t>(requested) * size));
  });
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t planHandle,
                                  cudnnBackendDescriptor_t packHandle) {
  CUDASIM_ENTER(cudnnBackendExecute, CUDNN_STATUS_EXECUTION_FAILED);
  return guarded("cudnnBackendExecute", [&] {
    const auto plan = descriptorOf(planHandle), pack = descriptorOf(packHandle);
    require(plan->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR &&
                pack->type == CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR,
            CUDNN_STATUS_BAD_PARAM, "no execution plan, or no variant pack");
    require(plan->finalized && pack->finalized, CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED,
            "execution plan or variant pack is not finalized");
    const auto engine = plan->as<ExecutionPlan>().engine;
    const auto pointers = std::static_pointer_cast<const VariantPack>(pack->meaning);
    require(cudnnHandle(handle)->device == engine->graph->device, CUDNN_STATUS_BAD_PARAM,
            "plan and handle of two devices");
    checkPack(*engine, *pointers);
    enqueueFor(handle, "cudnnBackendExecute", [engine, pointers] { execute(*engine, *pointers); });
  });
}

}  // extern "C"
