#include "cudnn_graph.h"

#include <algorithm>

#include "layout.h"
#include "status.h"

namespace fovea::cuda {

cudnnDataType_t cudnnType(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return CUDNN_DATA_FLOAT;
    case DType::f16:
      return CUDNN_DATA_HALF;
    case DType::bf16:
      return CUDNN_DATA_BFLOAT16;
    default:
      throw Error("UNSUPPORTED", std::string("cuDNN takes f32, f16 and bf16 here, not ") + nameOf(dtype), {},
                  "f32, f16 or bf16", nameOf(dtype));
  }
}

Descriptor::Descriptor(const Libraries& libraries, cudnnBackendDescriptorType_t type)
    : libraries_(&libraries) {
  FOVEA_CUDA_CALL(*libraries_, cudnn, cudnnBackendCreateDescriptor, type, &descriptor_);
}

Descriptor::~Descriptor() {
  if (descriptor_) libraries_->cudnn.cudnnBackendDestroyDescriptor(descriptor_);
}

void Descriptor::set(Name name, cudnnBackendAttributeType_t type, int64_t count, const void* elements) {
  const cudnnStatus_t status =
      libraries_->cudnn.cudnnBackendSetAttribute(descriptor_, name, type, count, elements);
  if (status != CUDNN_STATUS_SUCCESS)
    check(*libraries_, status, ("cudnnBackendSetAttribute of " + std::to_string(name)).c_str());
}

void Descriptor::finalize() { FOVEA_CUDA_CALL(*libraries_, cudnn, cudnnBackendFinalize, descriptor_); }

bool Descriptor::tryFinalize() {
  return libraries_->cudnn.cudnnBackendFinalize(descriptor_) == CUDNN_STATUS_SUCCESS;
}

int64_t Descriptor::get(Name name, cudnnBackendAttributeType_t type, int64_t most, void* elements) const {
  int64_t count = 0;
  const cudnnStatus_t status =
      libraries_->cudnn.cudnnBackendGetAttribute(descriptor_, name, type, most, &count, elements);
  if (status != CUDNN_STATUS_SUCCESS)
    check(*libraries_, status, ("cudnnBackendGetAttribute of " + std::to_string(name)).c_str());
  return elements ? std::min(count, most) : count;
}

int64_t Descriptor::number(Name name) const {
  int64_t value = 0;
  get(name, CUDNN_TYPE_INT64, 1, &value);
  return value;
}

void Descriptor::fill(Name name, Descriptor& value) const {
  get(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value.descriptor_);
}

Descriptor& OperationGraph::add(cudnnBackendDescriptorType_t type) {
  return kept_.emplace_back(*libraries_, type);
}

void OperationGraph::tensor(int64_t number, cudnnDataType_t type, const std::vector<int64_t>& dims,
                            bool inMemory) {
  constexpr int64_t alignment = 16;
  const auto strides = channelsLastStrides({dims[0], dims[1], dims[2], dims[3]});
  Descriptor descriptor(*libraries_, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  descriptor.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, number);
  descriptor.set(CUDNN_ATTR_TENSOR_DATA_TYPE, type);
  descriptor.set(CUDNN_ATTR_TENSOR_DIMENSIONS, dims);
  descriptor.set(CUDNN_ATTR_TENSOR_STRIDES, std::vector<int64_t>(strides.begin(), strides.end()));
  descriptor.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, alignment);
  if (!inMemory) descriptor.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, true);
  descriptor.finalize();
  tensors_.emplace_back(number, std::move(descriptor));
  const size_t size = type == CUDNN_DATA_FLOAT ? 4 : 2;
  if (inMemory) memory_.emplace_back(number, static_cast<size_t>(elementCount(dims)) * size);
}

const Descriptor& OperationGraph::tensorOf(int64_t number) const {
  return std::ranges::find(tensors_, number, &std::pair<int64_t, Descriptor>::first)->second;
}

void OperationGraph::convolution(Convolution kind, const Geometry& geometry, int64_t x, int64_t weight,
                                 int64_t y) {
  struct Names {
    cudnnBackendDescriptorType_t type;
    cudnnBackendAttributeName_t description, x, weight, y, alpha, beta;
  };
  constexpr Names names[] = {
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
      {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
  };
  const Names& name = names[static_cast<int>(kind)];

  Descriptor& description = add(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  constexpr cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  description.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2});
  description.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  description.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
  description.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, geometry.before);
  description.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, geometry.after);
  description.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, geometry.dilation);
  description.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, geometry.stride);
  description.finalize();

  Descriptor operation(*libraries_, name.type);
  operation.set(name.description, description);
  operation.set(name.x, tensorOf(x));
  operation.set(name.weight, tensorOf(weight));
  operation.set(name.y, tensorOf(y));
  operation.set(name.alpha, 1.f);
  operation.set(name.beta, 0.f);
  operation.finalize();
  operations_.push_back(std::move(operation));
}

void OperationGraph::add(int64_t x, int64_t b, int64_t y) { pointwise(CUDNN_POINTWISE_ADD, x, &b, y); }

void OperationGraph::relu(int64_t x, int64_t y) { pointwise(CUDNN_POINTWISE_RELU_FWD, x, nullptr, y); }

void OperationGraph::pointwise(cudnnPointwiseMode_t mode, int64_t x, const int64_t* b, int64_t y) {
  Descriptor& description = add(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  description.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
  description.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
  description.finalize();
  Descriptor operation(*libraries_, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, description);
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, tensorOf(x));
  if (b) {
    operation.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, tensorOf(*b));
    operation.set(CUDNN_ATTR_OPERATION_POINTWISE_ALPHA1, 1.f);
    operation.set(CUDNN_ATTR_OPERATION_POINTWISE_ALPHA2, 1.f);
  }
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, tensorOf(y));
  operation.finalize();
  operations_.push_back(std::move(operation));
}

void OperationGraph::finalize() {
  auto graph = std::make_unique<Descriptor>(*libraries_, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  std::vector<cudnnBackendDescriptor_t> operations;
  for (const Descriptor& operation : operations_) operations.push_back(operation.raw());
  graph->set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
             static_cast<int64_t>(operations.size()), operations.data());
  if (handle_) graph->set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle_);
  graph->finalize();
  graph_ = std::move(graph);
}

std::unique_ptr<ExecutionPlan> ExecutionPlan::build(std::shared_ptr<const OperationGraph> graph,
                                                    Descriptor config) {
  Descriptor plan(graph->libraries(), CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, graph->handle());
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
  if (!plan.tryFinalize()) return nullptr;
  return std::make_unique<ExecutionPlan>(std::move(graph), std::move(config), std::move(plan));
}

ExecutionPlan::ExecutionPlan(std::shared_ptr<const OperationGraph> graph, Descriptor config, Descriptor plan)
    : graph_(std::move(graph)),
      config_(std::move(config)),
      plan_(std::move(plan)),
      workspaceBytes_(static_cast<size_t>(plan_.number(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE))),
      engine_(notesOf(graph_->libraries(), config_).index) {}

void ExecutionPlan::bind(const std::vector<std::pair<int64_t, void*>>& data, void* workspace) {
  std::vector<int64_t> numbers;
  std::vector<void*> addresses;
  for (const auto& [number, address] : data) {
    numbers.push_back(number);
    addresses.push_back(address);
  }
  auto pack = std::make_unique<Descriptor>(graph_->libraries(), CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack->set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, numbers);
  pack->set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR,
            static_cast<int64_t>(addresses.size()), addresses.data());
  pack->set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
  pack->finalize();
  pack_ = std::move(pack);
}

void ExecutionPlan::enqueue() const {
  FOVEA_CUDA_CALL(graph_->libraries(), cudnn, cudnnBackendExecute, graph_->handle(), plan_.raw(),
                  pack_->raw());
}

EngineNotes notesOf(const Libraries& libraries, const Descriptor& config) {
  constexpr int64_t most = 32;
  Descriptor engine(libraries, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  config.fill(CUDNN_ATTR_ENGINECFG_ENGINE, engine);
  return {engine.number(CUDNN_ATTR_ENGINE_GLOBAL_INDEX),
          engine.list<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                                   CUDNN_TYPE_NUMERICAL_NOTE, most),
          engine.list<cudnnBackendBehaviorNote_t>(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
                                                  most)};
}

std::vector<Descriptor> engineConfigs(const OperationGraph& graph) {
  const Libraries& libraries = graph.libraries();
  std::vector<Descriptor> all;
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    Descriptor heuristics(libraries, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.graph());
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    if (!heuristics.tryFinalize()) continue;
    const int64_t count =
        heuristics.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, nullptr);
    std::vector<Descriptor> configs;
    std::vector<cudnnBackendDescriptor_t> raw;
    for (int64_t i = 0; i < count; ++i)
      raw.push_back(configs.emplace_back(libraries, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR).raw());
    const int64_t given = count == 0 ? 0
                                     : heuristics.get(CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                                      CUDNN_TYPE_BACKEND_DESCRIPTOR, count, raw.data());
    for (int64_t i = 0; i < given; ++i) all.push_back(std::move(configs[i]));
  }
  return all;
}

}  // namespace fovea::cuda
