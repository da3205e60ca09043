// Which attributes each descriptor of cuDNN's graph interface has.
#include "graph_descriptor.h"

namespace cudasim {
namespace {

constexpr int64_t mostDims = 8, many = 1 << 20;

std::vector<Rule> makeRules() {
  std::vector<Rule> rules;
  cudnnBackendDescriptorType_t owner{};
  using Types = std::vector<cudnnBackendAttributeType_t>;
  const auto add = [&](cudnnBackendAttributeName_t name, Types types, int64_t most, decltype(Rule::need) need,
                       std::optional<cudnnBackendDescriptorType_t> child = {}) {
    rules.push_back({owner, name, std::move(types), most, need, child});
  };
  const auto tensor = [&](cudnnBackendAttributeName_t name, decltype(Rule::need) need) {
    add(name, {CUDNN_TYPE_BACKEND_DESCRIPTOR}, 1, need, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  };
  const Types number{CUDNN_TYPE_FLOAT, CUDNN_TYPE_DOUBLE};

  owner = CUDNN_BACKEND_TENSOR_DESCRIPTOR;
  add(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, {CUDNN_TYPE_INT64}, 1, Rule::required);
  add(CUDNN_ATTR_TENSOR_DATA_TYPE, {CUDNN_TYPE_DATA_TYPE}, 1, Rule::required);
  add(CUDNN_ATTR_TENSOR_DIMENSIONS, {CUDNN_TYPE_INT64}, mostDims, Rule::required);
  add(CUDNN_ATTR_TENSOR_STRIDES, {CUDNN_TYPE_INT64}, mostDims, Rule::required);
  add(CUDNN_ATTR_TENSOR_UNIQUE_ID, {CUDNN_TYPE_INT64}, 1, Rule::required);
  add(CUDNN_ATTR_TENSOR_VECTOR_COUNT, {CUDNN_TYPE_INT64}, 1, Rule::optional);
  add(CUDNN_ATTR_TENSOR_VECTORIZED_DIMENSION, {CUDNN_TYPE_INT64}, 1, Rule::optional);
  add(CUDNN_ATTR_TENSOR_IS_VIRTUAL, {CUDNN_TYPE_BOOLEAN}, 1, Rule::optional);
  add(CUDNN_ATTR_TENSOR_IS_BY_VALUE, {CUDNN_TYPE_BOOLEAN}, 1, Rule::optional);
  add(CUDNN_ATTR_TENSOR_REORDERING_MODE, {CUDNN_TYPE_TENSOR_REORDERING_MODE}, 1, Rule::optional);

  owner = CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR;
  add(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, {CUDNN_TYPE_DATA_TYPE}, 1, Rule::required);
  add(CUDNN_ATTR_CONVOLUTION_CONV_MODE, {CUDNN_TYPE_CONVOLUTION_MODE}, 1, Rule::required);
  add(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, {CUDNN_TYPE_INT64}, 1, Rule::required);
  for (const auto name : {CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES,
                          CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS})
    add(name, {CUDNN_TYPE_INT64}, mostDims, Rule::required);

  const auto convolution = [&](cudnnBackendDescriptorType_t type,
                               std::initializer_list<cudnnBackendAttributeName_t> tensors,
                               cudnnBackendAttributeName_t description, cudnnBackendAttributeName_t alpha,
                               cudnnBackendAttributeName_t beta) {
    owner = type;
    for (const auto name : tensors) tensor(name, Rule::required);
    add(description, {CUDNN_TYPE_BACKEND_DESCRIPTOR}, 1, Rule::required,
        CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    add(alpha, number, 1, Rule::required);
    add(beta, number, 1, Rule::required);
  };
  convolution(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
               CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y},
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA);
  convolution(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY},
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA);
  convolution(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
              {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY},
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA);

  owner = CUDNN_BACKEND_POINTWISE_DESCRIPTOR;
  add(CUDNN_ATTR_POINTWISE_MODE, {CUDNN_TYPE_POINTWISE_MODE}, 1, Rule::required);
  add(CUDNN_ATTR_POINTWISE_MATH_PREC, {CUDNN_TYPE_DATA_TYPE}, 1, Rule::required);
  add(CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP, number, 1, Rule::optional);
  add(CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, number, 1, Rule::optional);
  add(CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP_SLOPE, number, 1, Rule::optional);

  owner = CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR;
  add(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, {CUDNN_TYPE_BACKEND_DESCRIPTOR}, 1, Rule::required,
      CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  tensor(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, Rule::required);
  for (const auto name : {CUDNN_ATTR_OPERATION_POINTWISE_BDESC, CUDNN_ATTR_OPERATION_POINTWISE_YDESC,
                          CUDNN_ATTR_OPERATION_POINTWISE_DXDESC, CUDNN_ATTR_OPERATION_POINTWISE_DYDESC})
    tensor(name, Rule::optional);
  add(CUDNN_ATTR_OPERATION_POINTWISE_ALPHA1, number, 1, Rule::optional);
  add(CUDNN_ATTR_OPERATION_POINTWISE_ALPHA2, number, 1, Rule::optional);

  owner = CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR;
  add(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, {CUDNN_TYPE_HANDLE}, 1, Rule::required);
  add(CUDNN_ATTR_OPERATIONGRAPH_OPS, {CUDNN_TYPE_BACKEND_DESCRIPTOR}, 64, Rule::required);
  add(CUDNN_ATTR_OPERATIONGRAPH_ENGINE_GLOBAL_COUNT, {CUDNN_TYPE_INT64}, 1, Rule::output);

  owner = CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR;
  add(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, {CUDNN_TYPE_BACKEND_DESCRIPTOR}, 1, Rule::required,
      CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  add(CUDNN_ATTR_ENGINEHEUR_MODE, {CUDNN_TYPE_HEUR_MODE}, 1, Rule::required);
  add(CUDNN_ATTR_ENGINEHEUR_RESULTS, {CUDNN_TYPE_BACKEND_DESCRIPTOR}, many, Rule::output,
      CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  add(CUDNN_ATTR_ENGINEHEUR_SM_COUNT_TARGET, {CUDNN_TYPE_INT32}, 1, Rule::optional);
  add(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, {CUDNN_TYPE_BACKEND_DESCRIPTOR}, 1, Rule::optional,
      CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);

  owner = CUDNN_BACKEND_ENGINE_DESCRIPTOR;
  add(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, {CUDNN_TYPE_BACKEND_DESCRIPTOR}, 1, Rule::required,
      CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  add(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, {CUDNN_TYPE_INT64}, 1, Rule::required);
  add(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, {CUDNN_TYPE_NUMERICAL_NOTE}, many, Rule::output);
  add(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, {CUDNN_TYPE_BEHAVIOR_NOTE}, many, Rule::output);
  add(CUDNN_ATTR_ENGINE_KNOB_INFO, {CUDNN_TYPE_BACKEND_DESCRIPTOR}, many, Rule::output,
      CUDNN_BACKEND_KNOB_INFO_DESCRIPTOR);
  add(CUDNN_ATTR_ENGINE_DEVICEPROP, {CUDNN_TYPE_BACKEND_DESCRIPTOR}, 1, Rule::optional,
      CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);

  owner = CUDNN_BACKEND_ENGINECFG_DESCRIPTOR;
  add(CUDNN_ATTR_ENGINECFG_ENGINE, {CUDNN_TYPE_BACKEND_DESCRIPTOR}, 1, Rule::required,
      CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  add(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, {CUDNN_TYPE_BACKEND_DESCRIPTOR}, many, Rule::optional,
      CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
  add(CUDNN_ATTR_ENGINECFG_WORKSPACE_SIZE, {CUDNN_TYPE_INT64}, 1, Rule::output);
  add(CUDNN_ATTR_ENGINECFG_SHARED_MEMORY_USED, {CUDNN_TYPE_INT64}, 1, Rule::output);

  owner = CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR;
  add(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, {CUDNN_TYPE_KNOB_TYPE}, 1, Rule::required);
  add(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, {CUDNN_TYPE_INT64}, 1, Rule::required);

  owner = CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR;
  add(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, {CUDNN_TYPE_HANDLE}, 1, Rule::required);
  add(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, {CUDNN_TYPE_BACKEND_DESCRIPTOR}, 1, Rule::required,
      CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  add(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, {CUDNN_TYPE_INT64}, 1, Rule::output);
  add(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, {CUDNN_TYPE_CHAR}, many, Rule::output);
  add(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, {CUDNN_TYPE_BACKEND_DESCRIPTOR}, 1, Rule::optional,
      CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);

  owner = CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR;
  add(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, {CUDNN_TYPE_INT64}, 256, Rule::required);
  add(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, {CUDNN_TYPE_VOID_PTR}, 256, Rule::required);
  add(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, {CUDNN_TYPE_VOID_PTR}, 1, Rule::optional);

  owner = CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR;
  add(CUDNN_ATTR_DEVICEPROP_DEVICE_ID, {CUDNN_TYPE_INT32}, 1, Rule::optional);
  add(CUDNN_ATTR_DEVICEPROP_HANDLE, {CUDNN_TYPE_HANDLE}, 1, Rule::optional);
  add(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, {CUDNN_TYPE_CHAR}, many, Rule::optional);
  return rules;
}

const std::vector<Rule>& rules() {
  static const auto& all = *std::make_unique<const std::vector<Rule>>(makeRules()).release();
  return all;
}

}  // namespace

const Rule* ruleFor(cudnnBackendDescriptorType_t descriptor, int name) {
  for (const Rule& rule : rules())
    if (rule.descriptor == descriptor && rule.name == name) return &rule;
  return nullptr;
}

void requireComplete(const Descriptor& descriptor) {
  for (const Rule& rule : rules())
    if (rule.descriptor == descriptor.type && rule.need == Rule::required)
      require(descriptor.attributes.contains(rule.name), CUDNN_STATUS_BAD_PARAM,
              "descriptor of type " + std::to_string(descriptor.type) + " lacks attribute " +
                  std::to_string(rule.name));
}

size_t sizeOf(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_DOUBLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
      return 8;
    case CUDNN_TYPE_BOOLEAN:
    case CUDNN_TYPE_CHAR:
      return 1;
    default:
      return 4;
  }
}

double Descriptor::number(cudnnBackendAttributeName_t name, double otherwise) const {
  const auto found = attributes.find(name);
  if (found == attributes.end()) return otherwise;
  return found->second.type == CUDNN_TYPE_DOUBLE ? value<double>(name, 0) : double{value<float>(name, 0)};
}

const std::vector<DescriptorPtr>& Descriptor::children(cudnnBackendAttributeName_t name) const {
  static const std::vector<DescriptorPtr> none;
  const auto found = attributes.find(name);
  return found == attributes.end() ? none : found->second.descriptors;
}

DescriptorPtr Descriptor::child(cudnnBackendAttributeName_t name) const {
  const auto& all = children(name);
  return all.empty() ? nullptr : all[0];
}

}  // namespace cudasim
