// cuDNN and cuBLAS on the simulated device: convolutions against loops of their own, and what is refused.
#include "checks.h"

namespace {

using Descriptor = cudnnBackendDescriptor_t;

Descriptor create(cudnnBackendDescriptorType_t type) {
  Descriptor descriptor = nullptr;
  OK(cudnnBackendCreateDescriptor(type, &descriptor));
  return descriptor;
}

template <class T>
cudnnStatus_t set(Descriptor d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                  const std::vector<T>& values) {
  return cudnnBackendSetAttribute(d, name, type, static_cast<int64_t>(values.size()), values.data());
}
cudnnStatus_t setOne(Descriptor d, cudnnBackendAttributeName_t name, Descriptor child) {
  return cudnnBackendSetAttribute(d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &child);
}
template <class T>
cudnnStatus_t setOne(Descriptor d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                     T value) {
  return cudnnBackendSetAttribute(d, name, type, 1, &value);
}

using Dims = std::vector<int64_t>;

Dims channelsLast(const Dims& d) { return {d[1] * d[2] * d[3], 1, d[3] * d[1], d[1]}; }

Descriptor unfinishedTensor(int64_t id, const Dims& dims, bool isVirtual = false) {
  Descriptor d = create(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  OK(setOne(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, id));
  OK(setOne(d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT));
  OK(setOne(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, int64_t{16}));
  OK(set(d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, dims));
  OK(set(d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, channelsLast(dims)));
  if (isVirtual) OK(setOne(d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, true));
  return d;
}
Descriptor tensor(int64_t id, const Dims& dims, bool isVirtual = false) {
  Descriptor d = unfinishedTensor(id, dims, isVirtual);
  OK(cudnnBackendFinalize(d));
  return d;
}

// Groups, strides, dilation and uneven padding all at once.
struct Case {
  int64_t n = 2, groups = 2, c = 4, k = 6, h = 9, w = 7, r = 3, s = 2;
  int64_t stride[2]{2, 1}, before[2]{1, 0}, after[2]{2, 1}, dilation[2]{1, 2};
  int64_t oh() const { return (h + before[0] + after[0] - (r - 1) * dilation[0] - 1) / stride[0] + 1; }
  int64_t ow() const { return (w + before[1] + after[1] - (s - 1) * dilation[1] - 1) / stride[1] + 1; }
  Dims x() const { return {n, c, h, w}; }
  Dims kernel() const { return {k, c / groups, r, s}; }
  Dims y() const { return {n, k, oh(), ow()}; }
};

size_t count(const Dims& d) { return static_cast<size_t>(d[0] * d[1] * d[2] * d[3]); }

// All indices lie channels last.
size_t at(const Dims& d, int64_t n, int64_t c, int64_t i, int64_t j) {
  return static_cast<size_t>(((n * d[2] + i) * d[3] + j) * d[1] + c);
}

// Calls `f` with the indices of x, w and y for every product of the convolution.
template <class F>
void eachProduct(const Case& t, F&& f) {
  const Dims x = t.x(), w = t.kernel(), y = t.y();
  for (int64_t n = 0; n < t.n; ++n)
    for (int64_t k = 0; k < t.k; ++k)
      for (int64_t i = 0; i < y[2]; ++i)
        for (int64_t j = 0; j < y[3]; ++j)
          for (int64_t c = 0; c < w[1]; ++c)
            for (int64_t r = 0; r < t.r; ++r)
              for (int64_t s = 0; s < t.s; ++s) {
                const int64_t a = i * t.stride[0] - t.before[0] + r * t.dilation[0];
                const int64_t b = j * t.stride[1] - t.before[1] + s * t.dilation[1];
                if (a < 0 || a >= t.h || b < 0 || b >= t.w) continue;
                f(at(x, n, k / (t.k / t.groups) * w[1] + c, a, b), at(w, k, c, r, s), at(y, n, k, i, j));
              }
}

Descriptor convolution(const Case& t, bool finish = true) {
  Descriptor d = create(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  OK(setOne(d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT));
  OK(setOne(d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, CUDNN_CROSS_CORRELATION));
  OK(setOne(d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, int64_t{2}));
  const auto pair = [](const int64_t* p) { return Dims{p[0], p[1]}; };
  OK(set(d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, pair(t.stride)));
  OK(set(d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, pair(t.dilation)));
  OK(set(d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, pair(t.before)));
  OK(set(d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, pair(t.after)));
  if (finish) OK(cudnnBackendFinalize(d));
  return d;
}

struct Names {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t description, x, w, y, alpha, beta;
};
constexpr Names forwardNames{CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
constexpr Names dataNames{CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
constexpr Names filterNames{CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};

Descriptor operation(const Names& names, Descriptor description, Descriptor x, Descriptor w, Descriptor y) {
  Descriptor d = create(names.type);
  OK(setOne(d, names.description, description));
  OK(setOne(d, names.x, x));
  OK(setOne(d, names.w, w));
  OK(setOne(d, names.y, y));
  OK(setOne(d, names.alpha, CUDNN_TYPE_FLOAT, 1.f));
  OK(setOne(d, names.beta, CUDNN_TYPE_FLOAT, 0.f));
  return d;
}

Descriptor pointwise(cudnnPointwiseMode_t mode, Descriptor x, Descriptor b, Descriptor y) {
  Descriptor description = create(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  OK(setOne(description, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, mode));
  OK(setOne(description, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT));
  OK(cudnnBackendFinalize(description));
  Descriptor d = create(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  OK(setOne(d, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, description));
  OK(setOne(d, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x));
  if (b) OK(setOne(d, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b));
  OK(setOne(d, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y));
  OK(cudnnBackendFinalize(d));
  return d;
}

Descriptor unfinishedGraph(cudnnHandle_t handle, const std::vector<Descriptor>& operations) {
  Descriptor graph = create(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  OK(setOne(graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, handle));
  OK(set(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, operations));
  return graph;
}

std::vector<Descriptor> configsOf(Descriptor graph) {
  Descriptor heuristics = create(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  OK(setOne(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph));
  OK(setOne(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, CUDNN_HEUR_MODE_A));
  OK(cudnnBackendFinalize(heuristics));
  int64_t all = 0;
  OK(cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0,
                              &all, nullptr));
  std::vector<Descriptor> configs;
  for (int64_t i = 0; i < all; ++i) configs.push_back(create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
  OK(cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, all,
                              &all, configs.data()));
  return configs;
}

std::vector<cudnnBackendNumericalNote_t> notesOf(Descriptor config) {
  Descriptor engine = create(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  int64_t found = 0;
  OK(cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &found,
                              &engine));
  std::vector<cudnnBackendNumericalNote_t> notes(16);
  OK(cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, 16, &found,
                              notes.data()));
  notes.resize(static_cast<size_t>(found));
  return notes;
}

Descriptor planOf(cudnnHandle_t handle, Descriptor config, int64_t* workspaceBytes) {
  Descriptor plan = create(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  OK(setOne(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, handle));
  OK(setOne(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config));
  if (cudnnBackendFinalize(plan) != CUDNN_STATUS_SUCCESS) return nullptr;
  OK(cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, nullptr,
                              workspaceBytes));
  return plan;
}

Descriptor packOf(const std::map<int64_t, void*>& pointers, void* workspace) {
  Descriptor pack = create(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  std::vector<int64_t> ids;
  std::vector<void*> data;
  for (const auto& [id, pointer] : pointers) ids.push_back(id), data.push_back(pointer);
  OK(set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, ids));
  OK(set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, data));
  OK(setOne(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace));
  OK(cudnnBackendFinalize(pack));
  return pack;
}

struct Run {
  std::vector<cudnnBackendNumericalNote_t> notes;
  double error;
};
// Runs a graph with every engine whose workspace is not absurd.
std::vector<Run> runAll(cudnnHandle_t handle, Descriptor graph, const std::map<int64_t, void*>& pointers,
                        OnDevice<float>& result, const std::vector<double>& expected) {
  std::vector<Run> runs;
  int finalized = 0, refused = 0;
  for (Descriptor config : configsOf(graph)) {
    int64_t bytes = 0;
    Descriptor plan = planOf(handle, config, &bytes);
    ++(plan ? finalized : refused);
    if (!plan || bytes > 1 << 20) continue;
    OnDevice<char> workspace(static_cast<size_t>(std::max<int64_t>(bytes, 1)));
    result.write(std::vector<float>(expected.size(), NAN));
    OK(cudnnBackendExecute(handle, plan, packOf(pointers, workspace.data())));
    runs.push_back({notesOf(config), relativeError(result.read(), expected)});
  }
  EXPECT(finalized > 3 && refused > 0);
  return runs;
}

bool has(const Run& run, cudnnBackendNumericalNote_t note) {
  for (const auto other : run.notes)
    if (other == note) return true;
  return false;
}

// Tensor cores come first and round their operands; without them, results are those of float32.
void expectAccuracy(const std::vector<Run>& runs) {
  EXPECT(runs.size() >= 4 && has(runs[0], CUDNN_NUMERICAL_NOTE_TENSOR_CORE));
  for (const Run& run : runs) {
    const bool tf32 = has(run, CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
    EXPECT(tf32 ? run.error > 1e-5 && run.error < 1e-2 : run.error < 1e-6);
  }
}

cudnnHandle_t newHandle() {
  cudnnHandle_t handle = nullptr;
  OK(cudnnCreate(&handle));
  return handle;
}

void fusedForward() {
  const Case t;
  const std::vector<float> x = noise(count(t.x()), 1), w = noise(count(t.kernel()), 2),
                           z = noise(count(t.y()), 3), bias = noise(static_cast<size_t>(t.k), 4);
  std::vector<double> expected(z.begin(), z.end());
  eachProduct(t, [&](size_t a, size_t b, size_t c) { expected[c] += double{x[a]} * w[b]; });
  for (size_t i = 0; i < expected.size(); ++i)
    expected[i] = std::max(expected[i] + bias[i % static_cast<size_t>(t.k)], 0.0);
  cudnnHandle_t handle = newHandle();
  const Descriptor yTensor = tensor(9, t.y()), product = tensor(10, t.y(), true),
                   sum = tensor(11, t.y(), true), biased = tensor(12, t.y(), true);
  const Descriptor conv =
      operation(forwardNames, convolution(t), tensor(1, t.x()), tensor(2, t.kernel()), product);
  OK(cudnnBackendFinalize(conv));
  const Descriptor graph =
      unfinishedGraph(handle, {conv, pointwise(CUDNN_POINTWISE_ADD, product, tensor(3, t.y()), sum),
                               pointwise(CUDNN_POINTWISE_ADD, sum, tensor(4, {1, t.k, 1, 1}), biased),
                               pointwise(CUDNN_POINTWISE_RELU_FWD, biased, nullptr, yTensor)});
  OK(cudnnBackendFinalize(graph));
  OnDevice<float> xs(x), ws(w), zs(z), biases(bias), ys(count(t.y()));
  expectAccuracy(runAll(handle, graph,
                        {{1, xs.data()}, {2, ws.data()}, {3, zs.data()}, {4, biases.data()}, {9, ys.data()}},
                        ys, expected));
  OK(cudnnDestroy(handle));
}

void backward() {
  const Case t;
  const std::vector<float> x = noise(count(t.x()), 1), w = noise(count(t.kernel()), 2),
                           dy = noise(count(t.y()), 3);
  std::vector<double> dx(x.size()), dw(w.size());
  eachProduct(t, [&](size_t a, size_t b, size_t c) {
    dx[a] += double{dy[c]} * w[b];
    dw[b] += double{dy[c]} * x[a];
  });
  cudnnHandle_t handle = newHandle();
  const Descriptor xs = tensor(1, t.x()), ws = tensor(2, t.kernel()), ys = tensor(3, t.y());
  OnDevice<float> xData(x), wData(w), yData(dy), dxData(x.size()), dwData(w.size());
  const Descriptor data = operation(dataNames, convolution(t), xs, ws, ys);
  OK(cudnnBackendFinalize(data));
  Descriptor graph = unfinishedGraph(handle, {data});
  OK(cudnnBackendFinalize(graph));
  expectAccuracy(
      runAll(handle, graph, {{1, dxData.data()}, {2, wData.data()}, {3, yData.data()}}, dxData, dx));
  const Descriptor filter = operation(filterNames, convolution(t), xs, ws, ys);
  OK(cudnnBackendFinalize(filter));
  graph = unfinishedGraph(handle, {filter});
  OK(cudnnBackendFinalize(graph));
  expectAccuracy(
      runAll(handle, graph, {{1, xData.data()}, {2, dwData.data()}, {3, yData.data()}}, dwData, dw));
  OK(cudnnDestroy(handle));
}

void refusedDescriptors() {
  Descriptor d = create(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM, cudnnBackendFinalize(d));
  EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE,
                setOne(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT32, 1));
  EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM, set(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, Dims{1, 2}));
  EXPECT_STATUS(CUDNN_STATUS_NOT_SUPPORTED, setOne(d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 0));
  int64_t id = 0;
  d = unfinishedTensor(1, {1, 2, 3, 4});
  EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED,
                cudnnBackendGetAttribute(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, nullptr, &id));
  OK(set(d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, Dims{1, 2, 3}));
  EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM, cudnnBackendFinalize(d));
  OK(set(d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, Dims{24, 12, 4, 1}));
  OK(cudnnBackendFinalize(d));
  EXPECT_STATUS(CUDNN_STATUS_NOT_INITIALIZED, setOne(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, id));
  OK(cudnnBackendDestroyDescriptor(d));
  EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM, cudnnBackendDestroyDescriptor(d));

  const Case t;
  const Descriptor x = tensor(1, t.x()), w = tensor(2, t.kernel()), y = tensor(3, t.y());
  Descriptor conv = create(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
  EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED,
                setOne(conv, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, unfinishedTensor(1, t.x())));
  EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM, setOne(conv, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, x));
  Dims wrong = t.y();
  ++wrong[2];
  EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH,
                cudnnBackendFinalize(operation(forwardNames, convolution(t), x, w, tensor(3, wrong))));
  Descriptor description = convolution(t, false);
  OK(set(description, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, Dims{1, 1, 1}));
  EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM, cudnnBackendFinalize(description));

  cudnnHandle_t handle = newHandle();
  conv = operation(forwardNames, convolution(t), x, w, y);
  OK(cudnnBackendFinalize(conv));
  EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES,
                cudnnBackendFinalize(unfinishedGraph(handle, {conv, conv})));
  conv = operation(forwardNames, convolution(t), x, w, tensor(3, t.y(), true));
  OK(cudnnBackendFinalize(conv));
  // Nobody reads what is not kept.
  EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM, cudnnBackendFinalize(unfinishedGraph(handle, {conv})));
  OK(cudnnDestroy(handle));
  EXPECT_STATUS(CUDNN_STATUS_NOT_INITIALIZED, cudnnDestroy(handle));
}

void refusedRuns() {
  const Case t;
  cudnnHandle_t handle = newHandle();
  const Descriptor conv =
      operation(forwardNames, convolution(t), tensor(1, t.x()), tensor(2, t.kernel()), tensor(3, t.y()));
  OK(cudnnBackendFinalize(conv));
  const Descriptor graph = unfinishedGraph(handle, {conv});
  OK(cudnnBackendFinalize(graph));
  OnDevice<float> x(count(t.x()) + 1), w(count(t.kernel())), y(count(t.y())), small(4);
  std::vector<float> host(count(t.x()));
  bool needsWorkspace = false;
  for (Descriptor config : configsOf(graph)) {
    int64_t bytes = 0;
    Descriptor plan = planOf(handle, config, &bytes);
    if (!plan || bytes > 1 << 20) continue;
    OnDevice<char> workspace(static_cast<size_t>(bytes + 1));
    const auto run = [&](std::map<int64_t, void*> pointers, void* scratch) {
      return cudnnBackendExecute(handle, plan, packOf(pointers, scratch));
    };
    OK(run({{1, x.data()}, {2, w.data()}, {3, y.data()}}, workspace.data()));
    EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM, run({{1, x.data()}, {2, w.data()}}, workspace.data()));
    EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM,
                  run({{1, x.data()}, {2, w.data()}, {3, small.data()}}, workspace.data()));
    EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER,
                  run({{1, x.data() + 1}, {2, w.data()}, {3, y.data()}}, workspace.data()));
    EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM_NULL_POINTER,
                  run({{1, nullptr}, {2, w.data()}, {3, y.data()}}, workspace.data()));
    void* hostPointer = reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(host.data()) + 15) / 16 * 16);
    EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM,
                  run({{1, hostPointer}, {2, w.data()}, {3, y.data()}}, workspace.data()));
    if (bytes == 0) continue;
    needsWorkspace = true;
    EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM_NULL_POINTER,
                  run({{1, x.data()}, {2, w.data()}, {3, y.data()}}, nullptr));
    EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM,
                  run({{1, x.data()}, {2, w.data()}, {3, y.data()}}, workspace.data() + bytes / 16 * 16));
  }
  EXPECT(needsWorkspace);
  OK(cudnnDestroy(handle));
}

void products() {
  cublasHandle_t handle = nullptr;
  OK(cublasCreate_v2(&handle));
  const int m = 5, n = 4, k = 7;
  const std::vector<float> a = noise(m * k, 1), b = noise(k * n, 2), c = noise(m * n, 3);
  const float alpha = 0.5f, beta = 2;
  for (const bool left : {false, true})
    for (const bool right : {false, true}) {
      std::vector<double> expected(c.size());
      for (int i = 0; i < m; ++i)
        for (int j = 0; j < n; ++j) {
          double sum = 0;
          for (int l = 0; l < k; ++l)
            sum += double{left ? a[i * k + l] : a[l * m + i]} * (right ? b[l * n + j] : b[j * k + l]);
          expected[j * m + i] = alpha * sum + beta * c[j * m + i];
        }
      OnDevice<float> as(a), bs(b), cs(c);
      OK(cublasGemmEx(handle, left ? CUBLAS_OP_T : CUBLAS_OP_N, right ? CUBLAS_OP_T : CUBLAS_OP_N, m, n, k,
                      &alpha, as.data(), CUDA_R_32F, left ? k : m, bs.data(), CUDA_R_32F, right ? n : k,
                      &beta, cs.data(), CUDA_R_32F, m, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
      EXPECT(relativeError(cs.read(), expected) < 1e-6);
      EXPECT_STATUS(CUBLAS_STATUS_INVALID_VALUE,
                    cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &alpha, as.data(), CUDA_R_32F,
                                 m - 1, bs.data(), CUDA_R_32F, k, &beta, cs.data(), CUDA_R_32F, m,
                                 CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
      EXPECT_STATUS(CUBLAS_STATUS_INVALID_VALUE,
                    cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &alpha, a.data(), CUDA_R_32F, m,
                                 bs.data(), CUDA_R_32F, k, &beta, cs.data(), CUDA_R_32F, m,
                                 CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
    }
  OK(cublasDestroy_v2(handle));
}

void olderCalls() {
  cudnnHandle_t handle = newHandle();
  cudnnTensorDescriptor_t x = nullptr, y = nullptr;
  OK(cudnnCreateTensorDescriptor(&x));
  OK(cudnnCreateTensorDescriptor(&y));
  const float one = 1, zero = 0;
  // Two pixels of three channels.
  OnDevice<float> from(std::vector<float>{1, 2, 3, 0, 0, 0}), to(6);
  const auto softmax = [&](const float* alpha) {
    return cudnnSoftmaxForward(handle, CUDNN_SOFTMAX_ACCURATE, CUDNN_SOFTMAX_MODE_CHANNEL, alpha, x,
                               from.data(), &zero, y, to.data());
  };
  EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM, softmax(&one));
  OK(cudnnSetTensor4dDescriptor(x, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 1, 3, 1, 2));
  OK(cudnnSetTensor4dDescriptor(y, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 1, 3, 1, 2));
  OK(softmax(&one));
  const double sum = std::exp(-2.0) + std::exp(-1.0) + 1;
  EXPECT(relativeError(to.read(), {std::exp(-2.0) / sum, std::exp(-1.0) / sum, 1 / sum, 1.0 / 3, 1.0 / 3,
                                   1.0 / 3}) < 1e-6);
  EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, softmax(nullptr));
  EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM, softmax(from.data()));
  OK(cudnnSetTensor4dDescriptor(y, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 1, 3, 2, 1));
  EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM, softmax(&one));
  EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM,
                cudnnSetTensor4dDescriptor(x, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, 1, 0, 1, 2));
  OK(cudnnDestroyTensorDescriptor(x));
  OK(cudnnDestroyTensorDescriptor(y));
  EXPECT_STATUS(CUDNN_STATUS_BAD_PARAM, cudnnDestroyTensorDescriptor(y));
  OK(cudnnDestroy(handle));
}

}  // namespace

int main(int argc, char** argv) {
  return runChecks(argc, argv,
                   {{"a convolution with sum, bias and ReLU", fusedForward},
                    {"gradients of a convolution", backward},
                    {"descriptors that are refused", refusedDescriptors},
                    {"runs that are refused", refusedRuns},
                    {"products of matrices", products},
                    {"older calls", olderCalls}});
}
